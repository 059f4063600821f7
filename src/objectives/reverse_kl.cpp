#include "objectives/reverse_kl.hpp"

#include <cmath>
#include <numbers>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "generators/flow_generator.hpp"
#include "objectives/entry.hpp"
#include "objectives/train_options.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

// values(0, i, l) *= factor weight(0, l)
void scale_lanes(Tiles const& values, Real factor, TileScalars const& weight) {
  Index const rows = extent(values, 1), lanes = extent(values, 2);
  Kokkos::parallel_for(
      "partita::anneal", Range(0, rows * lanes),
      KOKKOS_LAMBDA(Index n) { values(0, n / lanes, n % lanes) *= factor * weight(0, n % lanes); });
}

}  // namespace

deck::Schema reverse_kl_schema() {
  using O = ReverseKlOptions;
  return deck::schema<O>(
      "reverse_kl", "KL divergence of a flow's samples from the [target]: J = mean beta U(x) - log|det S| + ..; needs no data",
      {deck::key("beta_start", &O::beta_start, "factor beta of U at the start; 1: no annealing, and modes of the target may be lost")
           .above(0)
           .at_most(1),
       deck::key("annealed_fraction", &O::annealed_fraction, "fraction of train.schedule_updates over which beta rises linearly to 1")
           .at_least(0)
           .at_most(1)
           .formerly("annealed_share"),
       deck::key("tile_width", &O::tile_width, "samples that are computed together, a tile; 0: by their number and the dimension")
           .at_least(0)
           .multiple_of(lane_quantum)});
}

ReverseKl::ReverseKl(Nice& flow, std::unique_ptr<DifferentiableModel> target, ReverseKlOptions const& options, Tiling const& batch,
                     Index updates, Communicator communicator, Summation summation, random::Key key)
    : flow_(flow),
      target_(std::move(target)),
      options_(options),
      updates_(updates),
      communicator_(communicator),
      key_(key),
      memory_({}, flow, *target_, {batch, communicator.rank(), communicator.ranks()}),
      sums_(communicator, summation, batch.tiles(), memory_.latents.mine, parameter_count(flow)),
      tile_sums_(2 * memory_.latents.mine.count) {}

ReverseKl::Memory::Memory(Arrays arrays, Nice const& flow, Model const& target, Share const& share)
    : latents("latents", share.tiling, share.mine(), flow.latent_dimension(), arrays),
      xy(arrays.make<TileStorage>("flow values", 1, flow.latent_dimension(), share.tiling.pitch())),
      gradient(arrays.make<TileStorage>("gradient in flow values", 1, flow.latent_dimension(), share.tiling.pitch())),
      energy(arrays.make<TileScalarStorage>("target energy", 1, share.tiling.pitch())),
      rest(arrays.make<TileScalarStorage>("conditional", 1, share.tiling.pitch())),
      weight(arrays.make<TileScalarStorage>("weights", 1, share.tiling.pitch())) {
  flow.work(arrays, 1, share.tiling.width);
  target.work(arrays, 1, share.tiling.width);
}

void ReverseKl::list(Arrays arrays, Nice const& flow, Model const& target, Share const& share, Summation summation) {
  Memory(arrays, flow, target, share);
  TileSums::list(arrays, summation, share.tiling.tiles(), share.rank, share.ranks, parameter_count(flow));
}

double ReverseKl::beta(Index update) const {
  double const rising = options_.annealed_fraction * double(updates_), done = rising > 0 ? std::min(1., double(update) / rising) : 1;
  return options_.beta_start + (1 - options_.beta_start) * done;
}

void ReverseKl::accumulate(Index tile, double beta, Vector sum) {
  Index const global = memory_.latents.mine.first + tile, lanes = memory_.latents.tiling.lanes(global),
              real = memory_.latents.tiling.chains_in(global);
  Index const d = flow_.dimension(), latent = flow_.latent_dimension();
  auto const row = std::pair(Index{0}, lanes);
  auto const x_of = [&](TileStorage const& s) -> Tiles { return Kokkos::subview(s, Kokkos::ALL, std::pair(Index{0}, d), row); };
  Tiles const z = memory_.latents.tiles(tile, 1, lanes), xy = Kokkos::subview(memory_.xy, Kokkos::ALL, Kokkos::ALL, row),
              gradient = Kokkos::subview(memory_.gradient, Kokkos::ALL, Kokkos::ALL, row);
  TileScalars const energy = Kokkos::subview(memory_.energy, Kokkos::ALL, row), rest = Kokkos::subview(memory_.rest, Kokkos::ALL, row),
                    weight = Kokkos::subview(memory_.weight, Kokkos::ALL, row);
  fill_array(memory_.weight, Real(0));
  fill_array(Kokkos::subview(memory_.weight, Kokkos::ALL, std::pair(Index{0}, real)), Real(1 / double(memory_.latents.tiling.chains)));
  fill_array(memory_.gradient, Real(0));
  flow_.forward(z, xy);
  target_->energy_and_gradient(x_of(memory_.xy), energy, x_of(memory_.gradient));
  scale_lanes(x_of(memory_.gradient), Real(beta), weight);
  flow_.conditional(xy, rest);
  flow_.reverse_conditional(xy, weight, gradient, sum);
  flow_.reverse(gradient, sum);
  auto const add = [&](std::size_t which, auto const& term) {
    double& total = tile_sums_[std::size_t(2 * tile) + which];
    Kokkos::parallel_reduce("partita::flow_statistics", Range(0, real), term, total);
  };
  add(
      0, KOKKOS_LAMBDA(Index l, double& s) { s += double(energy(0, l)); });
  add(
      1, KOKKOS_LAMBDA(Index l, double& s) {
        double square = 0;
        for (Index i = 0; i < latent; i++) square += double(z(0, i, l)) * double(z(0, i, l));
        s += double(rest(0, l)) - 0.5 * square;
      });
}

Vector ReverseKl::gradient(Index update, Timers& timers) {
  {
    Timers::Scope const scope(timers, "latents");
    initialise(memory_.latents, key_, random::Stream::flow_latents, update, {});
  }
  {
    Timers::Scope const scope(timers, "flow and gradient");
    sums_.start();
    for (Index tile = 0; tile < memory_.latents.mine.count; tile++)
      accumulate(tile, beta(update), sums_.partial(memory_.latents.mine.first + tile));
  }
  Timers::Scope const scope(timers, "reduction");
  Vector const sum = sums_.finish();
  flow_.complete(sum);
  return sum;
}

std::vector<Series> ReverseKl::series() const {
  return {{"criterion",
           "J - log Z of this update's samples at beta = 1: an estimate of KL(P || target) - log Z, the smaller the better; -criterion is "
           "below log Z on average",
           true},
          {"energy", "mean U(x) of this update's samples"},
          {"beta", "factor of U at this update", true}};
}

std::vector<double> ReverseKl::statistics(Index update) const {
  auto const sums = sum_over_tiles(communicator_, memory_.latents.mine, memory_.latents.tiling.tiles(), tile_sums_, 2);
  require_all(std::isfinite(sums[0] + sums[1] + flow_.log_determinant()), ExitCode::numerical,
              "the flow's samples are not finite at update {} (or S is singular): the training diverged; use a smaller "
              "optimizer.learning_rate, or optimizer.clip_norm",
              update);
  return sums;
}

std::vector<double> ReverseKl::report(Index update) {
  auto const sums = statistics(update);
  double const batch = double(memory_.latents.tiling.chains),
               normalisation = 0.5 * double(flow_.latent_dimension()) * std::log(2 * std::numbers::pi);
  return {(sums[0] + sums[1]) / batch - flow_.log_determinant() - normalisation, sums[0] / batch, beta(std::max<Index>(update - 1, 0))};
}

namespace {

Tiling reverse_kl_tiling(deck::Document const& deck) {
  Index const batch = batch_of(deck);
  return {batch, flow_width(deck.at("objective").as<ReverseKlOptions>().tile_width, batch)};
}

}  // namespace

ObjectiveEntry reverse_kl_objective() {
  return {
      {reverse_kl_schema(),
       [](ObjectiveContext const& c) {
         auto const options = c.deck.at("objective").as<ReverseKlOptions>();
         auto const train = c.deck.at("train").as<TrainOptions>();
         auto& model = as<Nice>(c.model);
         return std::make_unique<ReverseKl>(model, c.make_target(), options, reverse_kl_tiling(c.deck), train.schedule_length(), c.ranks,
                                            c.summation, c.key);
       }},
      [](ObjectiveListing const& l) {
        auto const target = l.list_target(l.arrays.in("target"));
        Tiling const tiling = reverse_kl_tiling(l.deck);
        ReverseKl::list(l.arrays, as<Nice const>(l.model), *target, l.share(tiling), l.summation);
        return ObjectiveEntry::Laid{tiling};
      },
      needs<Nice>(),
      false,
      false,
      [](Fit const& fit) {
        auto const train = fit.deck.at("train").as<TrainOptions>();
        fit.attempt_on<Nice>([&](Nice const& m) { random::check_budget(train.batch, train.updates, divide_up(m.latent_dimension(), 4)); });
      },
      [](deck::Block const& b) {
        auto const o = b.as<ReverseKlOptions>();
        return o.beta_start < 1 && o.annealed_fraction > 0;
      }};
}

}  // namespace partita
