// Converts between device vectors and vectors of double on the host.
#pragma once
#include <string>
#include <vector>

#include "core/arrays.hpp"
#include "core/copy.hpp"

namespace partita {

inline void assign(Vector to, std::vector<double> const& from) {
  auto const host = Kokkos::create_mirror_view(Kokkos::HostSpace(), to);
  for (std::size_t i = 0; i < from.size(); i++) host(i) = Real(from[i]);
  copy_array(to, host);
}

inline Vector to_device(std::vector<double> const& from, char const* name, Arrays const& arrays = {}) {
  auto const v = arrays.make<Vector>(name, from.size());
  if (arrays.makes()) assign(v, from);
  return v;
}

inline std::vector<double> to_host(ConstVector v) {
  auto const host = values_on_host(v);
  return {host.data(), host.data() + host.extent(0)};
}

}  // namespace partita
