#include "objectives/pseudo_likelihood.hpp"

#include "core/copy.hpp"
#include "core/require.hpp"
#include "objectives/entry.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

constexpr Index default_width = 128;

Index width(PseudoLikelihoodOptions const& o, Index batch) {
  return o.tile_width > 0 ? o.tile_width : std::min(default_width, round_up(batch, lane_quantum));
}

}  // namespace

deck::Schema pseudo_likelihood_schema() {
  using O = PseudoLikelihoodOptions;
  return deck::schema<O>(
      "pseudo_likelihood", "-E[sum_k log p(x_k | rest)] of a fully visible machine: exact gradient, no sampler",
      {deck::key("tile_width", &O::tile_width,
                 "items that are computed together, a tile; MPI ranks share the tiles; 0: 128, or the batch where that is smaller")
           .at_least(0)
           .multiple_of(lane_quantum)});
}

void PseudoLikelihood::require_fit(BoltzmannMachine const& machine) {
  Index const hidden = machine.dimension() - machine.visible_dimension();
  require_all(
      hidden == 0, ExitCode::usage,
      "objective.type = \"pseudo_likelihood\" and model.hidden = {} (p(x_k | rest) is known where the data show all other units, and "
      "they do not show hidden ones); use persistent_cd, or model.hidden = 0",
      hidden);
}

PseudoLikelihood::PseudoLikelihood(BoltzmannMachine& machine, data::Batches const& batches, Communicator communicator, Summation summation,
                                   PseudoLikelihoodOptions options)
    : machine_(machine),
      batches_(batches),
      communicator_(communicator),
      tiling_(tiling(options, batches.batch())),
      mine_(share_of_tiles(tiling_.tiles(), communicator.rank(), communicator.ranks())),
      memory_({}, machine, {tiling_, communicator.rank(), communicator.ranks()}),
      sums_(communicator, summation, tiling_.tiles(), mine_, parameter_count(machine)),
      values_("sums of pseudo-likelihoods", mine_.count) {
  require_fit(machine);
}

Tiling PseudoLikelihood::tiling(PseudoLikelihoodOptions const& o, Index batch) { return {batch, width(o, batch)}; }

PseudoLikelihood::Memory::Memory(Arrays arrays, BoltzmannMachine const& machine, Share const& share)
    : data(arrays.make<TileStorage>("minibatch", share.mine().count, machine.dimension(), share.tiling.pitch())),
      value(arrays.make<TileScalarStorage>("pseudo-likelihoods", 1, share.tiling.pitch())),
      weight(arrays.make<TileScalarStorage>("weights of pseudo-likelihoods", 1, share.tiling.pitch())) {
  machine.work(arrays, 1, share.tiling.width);
}

void PseudoLikelihood::list(Arrays arrays, BoltzmannMachine const& machine, Share const& share, Summation summation) {
  Memory(arrays, machine, share);
  TileSums::list(arrays, summation, share.tiling.tiles(), share.rank, share.ranks, parameter_count(machine));
}

void PseudoLikelihood::describe_state(State& state) {
  state.add_by_tile("objective/values", values_, mine_, tiling_.tiles());
  state.add_scalar("objective/updates_since_report", updates_since_report_);
}

void PseudoLikelihood::add_tile(Index tile, Vector sum) {
  Index const global = mine_.first + tile, real = tiling_.chains_in(global);
  auto const lanes = std::pair(Index{0}, tiling_.lanes(global));
  Tiles const x = Kokkos::subview(memory_.data, std::pair(tile, tile + 1), Kokkos::ALL, lanes);
  TileScalars const value = Kokkos::subview(memory_.value, Kokkos::ALL, lanes),
                    weight = Kokkos::subview(memory_.weight, Kokkos::ALL, lanes);
  machine_.pseudo_likelihood_forward(x, value);
  Real const share = Real(-1 / double(batches_.batch()));  // weight of an item in the loss
  double total = 0;
  Kokkos::parallel_reduce(
      "partita::pseudo_likelihood_weights", Range(0, lanes.second),
      KOKKOS_LAMBDA(Index l, double& s) {
        weight(0, l) = l < real ? share : Real(0);  // lanes past the batch only fill the vectors
        if (l < real) s += double(value(0, l));
      },
      total);
  machine_.pseudo_likelihood_reverse(x, weight, sum);
  values_(tile) += total;
}

Vector PseudoLikelihood::gradient(Index update, Timers& timers) {
  {
    Timers::Scope const scope(timers, "data");
    batches_.fill(memory_.data, tiling_, mine_, update);
  }
  {
    Timers::Scope const scope(timers, "parameter gradient");
    sums_.start();
    for (Index tile = 0; tile < mine_.count; tile++) add_tile(tile, sums_.partial(mine_.first + tile));
  }
  updates_since_report_++;
  Timers::Scope const scope(timers, "reduction");
  return sums_.finish();
}

std::vector<Series> PseudoLikelihood::series() const {
  return {{"pseudo_likelihood", "sum_k log p(x_k | rest), mean over the items of the updates since the last row", true}};
}

std::vector<double> PseudoLikelihood::report(Index) {
  std::vector<double> const mine(values_.data(), values_.data() + values_.size());
  double const sum = sum_over_tiles(communicator_, mine_, tiling_.tiles(), mine, 1)[0];
  double const items = double(batches_.batch() * std::max<Index>(updates_since_report_, 1));
  fill_array(values_, 0.);
  updates_since_report_ = 0;
  return {sum / items};
}

ObjectiveEntry pseudo_likelihood_objective() {
  return {{pseudo_likelihood_schema(),
           [](ObjectiveContext const& c) {
             return std::make_unique<PseudoLikelihood>(as<BoltzmannMachine>(c.model), *c.batches, c.ranks, c.summation,
                                                       c.deck.at("objective").as<PseudoLikelihoodOptions>());
           }},
          [](ObjectiveListing const& l) {
            auto const tiling = PseudoLikelihood::tiling(l.deck.at("objective").as<PseudoLikelihoodOptions>(), batch_of(l.deck));
            PseudoLikelihood::list(l.arrays, as<BoltzmannMachine const>(l.model), l.share(tiling), l.summation);
            return ObjectiveEntry::Laid{tiling};
          },
          needs<BoltzmannMachine>(),
          false,
          true,
          [](Fit const& fit) { fit.attempt_on<BoltzmannMachine>(PseudoLikelihood::require_fit); }};
}

}  // namespace partita
