// Small machines of units against sums over all their states.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/copy.hpp"
#include "models/boltzmann_machine.hpp"
#include "models/host_values.hpp"

namespace partita::test::machine {

constexpr bool in_double = sizeof(Real) == 8;
inline random::Key const key{31, 32};

inline double normal(Index i, std::uint64_t which = 0) {
  auto const w = random::words(key, std::uint64_t(i), random::Stream::test, which, 0);
  return random::normal_pair(w.w[0], w.w[1], double()).a;
}

// Points in lanes: `lanes` of them a tile, made by value(chain, coordinate).
inline TileStorage points(Index tiles, Index dimension, Index lanes, std::function<double(Index, Index)> const& value) {
  TileStorage x("points", tiles, dimension, round_up(lanes, pitch_quantum));
  auto const host = Kokkos::create_mirror_view(x);
  for (Index t = 0; t < tiles; t++)
    for (Index i = 0; i < dimension; i++)
      for (Index l = 0; l < lanes; l++) host(t, i, l) = Real(value(t * lanes + l, i));
  copy_array(x, host);
  return x;
}
// State number `state` of binary units: unit i is bit i.
inline double unit(Index state, Index i) { return double(state >> i & 1); }
inline TileStorage states(Index units) { return points(1, units, round_up(Index{1} << units, lane_quantum), unit); }
inline Tiles seen(TileStorage const& x, Index lanes) { return Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, lanes)); }
inline TileScalars seen(TileScalarStorage const& x, Index lanes) { return Kokkos::subview(x, Kokkos::ALL, std::pair(Index{0}, lanes)); }
inline TileScalarStorage scalars(Index tiles, Index lanes) { return TileScalarStorage("scalars", tiles, round_up(lanes, pitch_quantum)); }
// Made by value(chain), as points are.
inline TileScalarStorage scalars(Index tiles, Index lanes, std::function<double(Index)> const& value) {
  auto const s = scalars(tiles, lanes);
  auto const host = Kokkos::create_mirror_view(s);
  for (Index c = 0; c < tiles * lanes; c++) host(c / lanes, c % lanes) = Real(value(c));
  copy_array(s, host);
  return s;
}
template <class View>
auto host(View const& v) {
  return values_on_host(v);
}

// -log p*_beta of all 2^units states.
inline std::vector<double> path_energies(GibbsModel const& model, double beta) {
  Index const n = Index{1} << model.dimension(), lanes = round_up(n, lane_quantum);
  auto const e = scalars(1, lanes);
  model.path_energy(seen(states(model.dimension()), lanes), beta, seen(e, lanes));
  auto const on_host = host(e);
  return {on_host.data(), on_host.data() + n};
}
inline double log_sum_exp_minus(std::vector<double> const& e) {
  double lowest = e[0], sum = 0;
  for (double v : e) lowest = std::min(lowest, v);
  for (double v : e) sum += std::exp(lowest - v);
  return std::log(sum) - lowest;
}
inline std::vector<double> probabilities(std::vector<double> e) {
  double const log_z = log_sum_exp_minus(e);
  for (double& v : e) v = std::exp(-v - log_z);
  return e;
}

// How often each state is among the chains.
inline std::vector<double> frequencies(TileStorage const& x, Index lanes) {
  auto const on_host = host(x);
  Index const units = extent(x, 1), tiles = extent(x, 0);
  std::vector<double> f(std::size_t{1} << units);
  for (Index t = 0; t < tiles; t++)
    for (Index l = 0; l < lanes; l++) {
      std::size_t state = 0;
      for (Index i = 0; i < units; i++) state |= std::size_t(on_host(t, i, l) > Real(0.5)) << i;
      f[state] += 1 / double(tiles * lanes);
    }
  return f;
}
// Of independent chains: binomial counts, within 5 standard deviations and one chain.
inline void expect_frequencies(std::vector<double> const& found, std::vector<double> const& p, double chains) {
  ASSERT_EQ(found.size(), p.size());
  for (std::size_t s = 0; s < p.size(); s++)
    EXPECT_NEAR(found[s], p[s], 5 * std::sqrt(p[s] * (1 - p[s]) / chains) + 1 / chains) << "state " << s;
}

// Sweeps number first .. first + count - 1.
inline void sweeps(GibbsModel const& model, TileStorage const& x, Index lanes, Index first, Index count, double beta = 1, Held held = {}) {
  for (Index s = first; s < first + count; s++)
    model.sweep(seen(x, lanes),
                {.key = key, .chains = {{extent(x, 0) * lanes, lanes}, {0, extent(x, 0)}}, .step = s, .beta = beta, .held = held});
}
inline Held holding(Index units, std::function<bool(Index)> const& is_held) {
  DeviceVector<std::uint8_t> const flags("held", units);
  auto const on_host = Kokkos::create_mirror_view(flags);
  for (Index i = 0; i < units; i++) on_host(i) = is_held(i);
  copy_array(flags, on_host);
  return flags;
}

}  // namespace partita::test::machine
