// Parameter vectors to and from the host.
#pragma once
#include <limits>
#include <vector>

#include "core/copy.hpp"
#include "core/types.hpp"

namespace partita::test {

constexpr double epsilon = std::numeric_limits<Real>::epsilon();

inline Vector vector_of(std::vector<double> const& values) {
  Vector const v("test vector", values.size());
  auto const host = Kokkos::create_mirror_view(v);
  for (std::size_t i = 0; i < values.size(); i++) host(i) = Real(values[i]);
  copy_array(v, host);
  return v;
}

inline std::vector<double> values_of(ConstVector v) {
  auto const host = values_on_host(v);
  return {host.data(), host.data() + host.size()};
}

}  // namespace partita::test
