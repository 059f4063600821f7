// What the tests of flows share: a flow whose parameters are all different from their start, and points for it.
#pragma once
#include <cmath>

#include "core/copy.hpp"
#include "core/tiling.hpp"
#include "models/nice.hpp"

namespace partita::test {

inline Tiles view(TileStorage const& v, Index lanes) { return Kokkos::subview(v, Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, lanes)); }
inline TileScalars view(TileScalarStorage const& v, Index lanes) { return Kokkos::subview(v, Kokkos::ALL, std::pair(Index{0}, lanes)); }

inline std::vector<double> host(ConstVector v) {
  auto const h = values_on_host(v);
  return {h.data(), h.data() + h.size()};
}
inline void set(Vector v, std::vector<double> const& values) {
  auto const h = Kokkos::create_mirror_view(v);
  for (std::size_t i = 0; i < values.size(); i++) h(i) = Real(values[i]);
  copy_array(v, h);
}

inline ParameterBlock block(Nice const& m, std::string const& name) {
  for (auto const& b : m.parameter_blocks())
    if (b.name == name) return b;
  return {};
}
inline void set_block(Nice& m, std::string const& name, std::vector<double> const& values) {
  Index const first = block(m, name).offset;
  set(Kokkos::subview(m.parameters(), std::pair(first, first + std::ssize(values))), values);
  m.parameters_changed();
}

// Every parameter moved by a number of size `amount`.
inline Nice make_flow(NiceOptions const& o, double amount = 0.3) {
  Nice m(o);
  m.initialise([](Index i) { return 1.5 * std::sin(12.9898 * double(i) + 0.3); });
  auto values = host(m.parameters());
  for (std::size_t i = 0; i < values.size(); i++) values[i] += amount * std::sin(7.31 * double(i) + 1);
  set(m.parameters(), values);
  m.parameters_changed();
  return m;
}

inline TileStorage points(Index tiles, Index dimension, Index lanes) {
  auto const n = [](Index i) { return std::size_t(i); };
  TileStorage const z("z", n(tiles), n(dimension), n(round_up(lanes, pitch_quantum)));
  auto const h = Kokkos::create_mirror_view(z);
  for (Index t = 0; t < tiles; t++)
    for (Index i = 0; i < dimension; i++)
      for (Index l = 0; l < lanes; l++) h(t, i, l) = Real(1.3 * std::sin(0.7 * double((t * lanes + l) * dimension + i) + 0.2));
  copy_array(z, h);
  return z;
}

}  // namespace partita::test
