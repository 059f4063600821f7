// What the sampler tests share: chains in memory, and sample averages as z-scores against exact values.
#pragma once
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "core/copy.hpp"
#include "models/model.hpp"
#include "samplers/sampler.hpp"

namespace partita::sampling {

using Point = std::vector<double>;  // a chain's state

// The same energy with its functor out of sight, so that samplers take the path of large models.
class Hidden : public DifferentiableModel {
 public:
  explicit Hidden(DifferentiableModel const& shown) : shown_(shown) {}
  Index dimension() const override { return shown_.dimension(); }
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override {
    shown_.energy_and_gradient(x, energy, gradient);
  }
  void precise_energy_and_gradient(ConstTiles x, TileEnergies energy, Tiles gradient) const override {
    shown_.precise_energy_and_gradient(x, energy, gradient);
  }

 private:
  DifferentiableModel const& shown_;
};

// Chains of all tiles on this rank, or of those in `mine`, at their start.
inline Chains make_chains(Index count, Index d, InitialDistribution const& start, random::Key key, Index width = 256,
                          TileRange mine = {0, -1}) {
  Tiling const tiling{count, width};
  Chains chains("test", tiling, mine.count < 0 ? TileRange{0, tiling.tiles()} : mine, d);
  initialise(chains, key, random::Stream::initial_state, 0, start);
  return chains;
}

// States of this rank's chains (or velocities), in order of their numbers.
inline std::vector<Point> states(Chains const& c, TileStorage const& of) {
  auto const host = values_on_host(of);
  std::vector<Point> out;
  for (Index t = 0; t < c.mine.count; t++)
    for (Index l = 0; l < c.tiling.chains_in(c.mine.first + t); l++) {
      out.emplace_back(c.dimension);
      for (Index i = 0; i < c.dimension; i++) out.back()[i] = double(host(t, i, l));
    }
  return out;
}
inline std::vector<Point> states(Chains const& c) { return states(c, c.x); }

// `steps` steps of all chains from their start, and where that leaves them.
inline std::vector<Point> run(Sampler& sampler, DifferentiableModel& model, Index count, InitialDistribution const& start, Index steps,
                              std::uint64_t seed = 1) {
  auto const key = random::make_key(seed);
  Chains chains = make_chains(count, model.dimension(), start, key);
  model.reserve(tiles_in_flight(chains.mine.count), chains.tiling.width);
  sampler.prepare(model, chains, key);
  sampler.advance(model, chains, key, 0, steps);
  return states(chains);
}

inline double acceptance(Chains const& c, Index steps) {
  auto const host = values_on_host(c.accepted);
  double sum = 0;
  for (Index t = 0; t < c.mine.count; t++)
    for (Index l = 0; l < c.tiling.chains_in(c.mine.first + t); l++) sum += host(t, l);
  return sum / double(c.tiling.chains * steps);
}

// (average of f over independent chains - exact) in its standard errors, both from the chains; infinite where it is not a number.
inline double z_score(std::vector<Point> const& chains, std::function<double(Point const&)> const& f, double exact) {
  double sum = 0, squares = 0;
  for (Point const& x : chains) {
    double const d = f(x) - exact;
    sum += d, squares += d * d;
  }
  double const n = double(chains.size()), mean = sum / n;
  double const z = mean / std::sqrt((squares / n - mean * mean) / n);
  return std::isfinite(z) ? z : INFINITY;
}

// Largest |z| over the means and the entries of the covariance (about the exact mean), of n (n + 3) / 2 numbers.
inline double largest_z(std::vector<Point> const& chains, Point const& mean, Matrix const& covariance) {
  double worst = 0;
  auto const d = std::ssize(mean);
  auto const centred = [&](Point const& x, Index i) { return x[i] - mean[i]; };
  for (Index i = 0; i < d; i++) {
    worst = std::max(worst, std::abs(z_score(
                                chains, [&](Point const& x) { return centred(x, i); }, 0)));
    for (Index j = 0; j <= i; j++)
      worst = std::max(worst, std::abs(z_score(
                                  chains, [&](Point const& x) { return centred(x, i) * centred(x, j); }, covariance(i, j))));
  }
  return worst;
}

}  // namespace partita::sampling
