#include "estimators/hee_annealing.hpp"

#include <algorithm>
#include <cmath>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "models/hee_joint.hpp"
#include "models/hee_posterior.hpp"
#include "samplers/advance.hpp"
#include "samplers/hamiltonian.hpp"
#include "samplers/hee_langevin.hpp"

namespace partita {
namespace {

// For the same number of gradients, 5 leapfrogs per step have the smallest bias on Gaussian models of 18 to 75 units whose posterior is up
// to a hundred times narrower than the prior: -0.1 and -0.4 nats, where single leapfrogs (MALA) have -1.6 and -8.6, and ten -0.7 and -0.7.
constexpr Index leapfrogs = 5;
constexpr double target_acceptance = 0.7;
constexpr double adaptation_rate = 0.5;
constexpr double crowding = 3;  // beta = (k / n)^3: the distribution changes fastest near the prior

double temperature(Index k, Index of) { return std::pow(double(k) / double(of), crowding); }

// The chains of one tile, from the prior to the posterior.
class AnnealedTile {
 public:
  AnnealedTile(Hee const& model, HeePosterior& posterior, SamplerWork& work, Tiling const& tiling, Index tile, random::Key key)
      : posterior_(posterior),
        work_(work),
        key_(key),
        real_(tiling.chains_in(tile)),
        chains_("annealed chains", tiling, {tile, 1}, model.units()),
        x0_("annealed x_0", 1, model.dimension(), tiling.pitch()),
        log_weights_(real_) {
    posterior.show(x0_);
    sample_ancestral(model, key, tiling, {tile, 1}, posterior.layers(chains_.x), 0);  // its x_0 is then replaced by the data
  }

  // Lane l is about item item_of(chain number) of `points`.
  void show(std::vector<double> const& points, Index chains_a_point) {
    auto const host = Kokkos::create_mirror_view(x0_);
    Index const d = extent(x0_, 1), lanes = chains_.tiling.lanes(chains_.mine.first),
                first = chains_.tiling.first_chain(chains_.mine.first);
    for (Index l = 0; l < lanes; l++) {
      Index const point = (first + std::min(l, real_ - 1)) / chains_a_point;
      for (Index i = 0; i < d; i++) host(0, i, l) = Real(points[point * d + i]);
    }
    copy_array(x0_, host);
  }

  // Adds to the weights the factor between two neighbouring temperatures.
  void weigh(double difference) {
    auto const log_p = posterior_.log_conditional(view());
    for (std::size_t l = 0; l < log_weights_.size(); l++) log_weights_[l] += difference * log_p[l];
  }

  // One step at inverse temperature beta with leapfrogs of this length; returns the share of proposals that were accepted.
  double move(double beta, double leapfrog, Index step) {
    posterior_.set_beta(beta);
    HamiltonianScheme<> const scheme{Real(leapfrog), 1, leapfrogs};
    advance(scheme, posterior_, chains_, work_, key_, {0, 1}, step, 1);
    Index const before = std::exchange(accepted_, count_acceptance(chains_));
    return double(accepted_ - before) / double(real_);
  }

  Index accepted() const { return accepted_; }
  std::vector<double> const& log_weights() const { return log_weights_; }

 private:
  ConstTiles view() const { return chains_.tiles(0, 1, chains_.tiling.lanes(chains_.mine.first)); }

  HeePosterior& posterior_;
  SamplerWork& work_;
  random::Key key_;
  Index real_;
  Chains chains_;
  TileStorage x0_;
  std::vector<double> log_weights_;
  Index accepted_ = 0;
};

}  // namespace

void list_annealed_likelihood(Arrays arrays, Hee const& model, HeeAnnealingOptions const& o, Index points) {
  list_inverse_couplings(arrays, model);
  arrays.count<Real>("a tile of annealed chains, their gradients, proposals and work", 8, model.units(), hee_tile_width);
  arrays.count<double>("lengths of leapfrogs", o.temperatures);
  arrays.count<double>("log weights of the chains, and as gathered", 2, points, o.chains);
}

AnnealedLikelihood annealed_likelihood(Hee const& model, std::vector<double> const& points, HeeAnnealingOptions const& o,
                                       Communicator const& ranks, random::Key key) {
  Index const count = std::ssize(points) / model.dimension(), chains = count * o.chains;
  Tiling const tiling{chains, std::min(hee_tile_width, round_up(chains, lane_quantum))};
  random::check_budget(chains, o.temperatures + 1, divide_up(model.units(), 4));
  HeePosterior posterior(model);
  posterior.reserve(1, tiling.width);
  SamplerWork work;
  auto const begin = [&](Index tile, Index which) {
    AnnealedTile t(model, posterior, work, tiling, tile, random::derived_key(key, random::Stream::hee_annealing, std::uint64_t(which)));
    t.show(points, o.chains);
    return t;
  };

  std::vector<double> lengths;  // of leapfrogs
  AnnealedTile pilot = begin(0, 0);
  double length = std::pow(double(model.units()), -0.25);  // near the optimum for curvatures of about 2, as in the prior
  for (Index k = 1; k < o.temperatures; k++) {
    lengths.push_back(length);
    length *= std::exp(adaptation_rate * (pilot.move(temperature(k, o.temperatures), length, k) - target_acceptance));
  }

  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
  std::vector<double> log_weights;
  Index accepted = 0;
  for (Index tile = mine.first; tile < mine.end(); tile++) {
    AnnealedTile t = begin(tile, 1);
    for (Index k = 1; k <= o.temperatures; k++) {
      double const beta = temperature(k, o.temperatures);
      t.weigh(beta - temperature(k - 1, o.temperatures));
      if (k < o.temperatures) t.move(beta, lengths[k - 1], k);
    }
    log_weights.insert(log_weights.end(), t.log_weights().begin(), t.log_weights().end());
    accepted += t.accepted();
  }
  log_weights = ranks.all_gather(log_weights);
  auto const bad = std::find_if(log_weights.begin(), log_weights.end(), [](double w) { return !std::isfinite(w); });
  require_all(bad == log_weights.end(), ExitCode::numerical,
              "the importance weight of chain {} of item {} is not finite; check that the model's parameters are",
              (bad - log_weights.begin()) % o.chains, (bad - log_weights.begin()) / o.chains);
  AnnealedLikelihood out;
  for (Index i = 0; i < count; i++) {
    auto const of_item = log_weights.begin() + i * o.chains;
    out.points.push_back(log_mean_exp({of_item, of_item + o.chains}));
  }
  double const moves = double(chains) * double(o.temperatures - 1);
  out.acceptance = double(ranks.all_reduce(accepted, Reduction::sum)) / moves;
  return out;
}

}  // namespace partita
