// What the tests of tempered samplers share: chains over ranks, states in memory.
#pragma once
#include <gtest/gtest.h>

#include "comm/communicator.hpp"
#include "core/copy.hpp"
#include "models/rbm.hpp"
#include "samplers/gibbs.hpp"
#include "samplers/ladder.hpp"
#include "sampling.hpp"

namespace partita::sampling {

// How the tiles of chains lie on the ranks of a test: all of them on each rank, as if it were alone, or shared out.
enum class Ranks { alone, shared };
inline TileRange tiles_of(Ranks how, Tiling const& tiling) {
  auto const world = Communicator::world();
  return how == Ranks::alone ? TileRange{0, tiling.tiles()} : share_of_tiles(tiling.tiles(), world.rank(), world.ranks());
}
inline Chains chains_at(Ranks how, Tiling const& tiling, Index d, random::Key key, InitialDistribution const& start) {
  Chains chains("test", tiling, tiles_of(how, tiling), d);
  initialise(chains, key, random::Stream::initial_state, 0, start);
  return chains;
}

// States of all chains in the order of their numbers, on every rank.
inline std::vector<double> all_states(Ranks how, Chains const& c) {
  std::vector<double> mine;
  for (Point const& x : states(c)) mine.insert(mine.end(), x.begin(), x.end());
  return how == Ranks::alone ? mine : Communicator::world().all_gather(mine);
}
inline std::vector<Point> points(std::vector<double> const& flat, Index d) {
  std::vector<Point> out;
  for (auto at = flat.begin(); at != flat.end(); at += d) out.emplace_back(at, at + d);
  return out;
}

inline double result(std::vector<Metric> const& of, std::string const& name) {
  for (auto const& r : of)
    if (r.name == name) return r.value;
  ADD_FAILURE() << "no result " << name;
  return NAN;
}

// A checkpoint in memory.
using Saved = std::map<std::string, std::vector<std::byte>>;
inline Saved save(State const& state) {
  Saved out;
  for (StateField const& f : state.fields()) {
    auto& bytes = out[f.name];
    bytes.resize(std::size_t(f.size()) * bytes_of(f.element));
    f.save(bytes.data());
  }
  return out;
}
inline void restore(State const& state, Saved const& from) {
  EXPECT_EQ(state.fields().size(), from.size());
  for (StateField const& f : state.fields()) {
    auto const& bytes = from.at(f.name);
    ASSERT_EQ(bytes.size(), std::size_t(f.size()) * bytes_of(f.element)) << f.name;
    f.restore(bytes.data());
  }
}
inline State state_of(Chains const& chains, Sampler& sampler) {
  State state;
  chains.describe_state(state, "chains");
  sampler.describe_state(state);
  return state;
}

// A machine with two far modes: W = w in all entries and biases that favour neither all units off nor all on, but for a tilt of the
// visible ones; half of all units are on at its reference. At w = 3 plain sweeps do not leave a mode.
inline Index const machine_visible = 8, machine_hidden = 4;
inline void set_two_modes(Rbm& machine, double w, double tilt = 0.02) {
  auto const set = [](Vector v, double value) { fill_array(v, Real(value)); };
  set(machine.weight(), w);
  set(machine.visible_bias(), -w * double(machine_hidden) / 2 + tilt);
  set(machine.hidden_bias(), -w * double(machine_visible) / 2);
}
inline std::unique_ptr<Rbm> two_modes(double w = 3) {
  auto machine = std::make_unique<Rbm>(RbmOptions{.visible = machine_visible, .hidden = machine_hidden});
  set_two_modes(*machine, w);
  std::vector<double> const half(machine_visible, 0.5);
  machine->set_reference({half, half, 1000});
  return machine;
}
// p(v) by the number of visible units that are on, of which it is a function: binomial counts times exp(-F).
inline std::vector<double> two_mode_law(double w = 3, double tilt = 0.02) {
  double const d = double(machine_visible), f = double(machine_hidden);
  std::vector<double> p;
  double total = 0;
  for (Index on = 0; on <= machine_visible; on++) {
    double const n = double(on);
    double const states = std::exp(std::lgamma(d + 1) - std::lgamma(n + 1) - std::lgamma(d - n + 1));
    p.push_back(states * std::exp(n * (tilt - w * f / 2)) * std::pow(1 + std::exp(w * (n - d / 2)), f));
    total += p.back();
  }
  for (double& v : p) v /= total;
  return p;
}
inline std::vector<double> units_on(std::vector<Point> const& chains) {
  std::vector<double> share(std::size_t(machine_visible) + 1);
  for (Point const& x : chains) {
    double on = 0;
    for (double v : x) on += v;
    share[std::size_t(on)] += 1 / double(chains.size());
  }
  return share;
}
// Of independent chains: binomial counts, within k = 4.5 standard deviations and one chain.
inline void expect_shares(std::vector<double> const& found, std::vector<double> const& p, double chains) {
  for (std::size_t n = 0; n < p.size(); n++)
    EXPECT_NEAR(found[n], p[n], 4.5 * std::sqrt(p[n] * (1 - p[n]) / chains) + 1 / chains) << n << " units on";
}

}  // namespace partita::sampling
