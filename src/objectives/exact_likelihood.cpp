#include "objectives/exact_likelihood.hpp"

#include <cmath>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "objectives/entry.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;
constexpr Index width = 256;

Tiling tiling_of(Index points) { return {points, std::min(width, round_up(points, lane_quantum))}; }

Index states_of(TrainableGibbsModel const& model) {
  ExactLikelihood::require_fit(model);
  return Index{1} << model.dimension();
}

}  // namespace

deck::Schema exact_likelihood_schema() {
  using O = ExactLikelihoodOptions;
  return deck::schema<O>(
      "exact_likelihood", "maximum likelihood by the sum over all states of at most 20 binary visible units",
      {deck::key("weight_decay", &O::weight_decay, "lambda of the penalty lambda/2 |W|^2, on weights only").at_least(0)});
}

void ExactLikelihood::require_fit(TrainableGibbsModel const& model) {
  require_all(model.binary() && model.dimension() == model.visible_dimension() && model.dimension() <= most_units, ExitCode::usage,
              "objective.type = \"exact_likelihood\" sums over all states of a machine's visible units: at most {} binary ones, and hidden "
              "units none, or those of an rbm; use persistent_cd",
              most_units);
}

Tiling ExactLikelihood::tiling(Index batch) { return tiling_of(batch); }

ExactLikelihood::Points::Points(Arrays arrays, char const* name, Share const& share, TrainableGibbsModel const& model)
    : tiling(share.tiling),
      mine(share.mine()),
      x(arrays.make<TileStorage>(name, mine.count, model.dimension(), tiling.pitch())),
      energy(arrays.make<TileScalarStorage>("energies of points", mine.count, tiling.pitch())) {}

ExactLikelihood::Memory::Memory(Arrays arrays, TrainableGibbsModel const& model, Index batch, int rank, int ranks)
    : data(arrays, "minibatch", {tiling_of(batch), rank, ranks}, model),
      states(arrays, "all states", {tiling_of(states_of(model)), rank, ranks}, model),
      weight(arrays.make<TileScalarStorage>("weights", 1, pitch_of(width))) {
  model.work(arrays, 1, width);
}

void ExactLikelihood::list(Arrays arrays, TrainableGibbsModel const& model, Index batch, Summation summation, int rank, int ranks) {
  Memory const memory(arrays, model, batch, rank, ranks);
  for (Points const* points : {&memory.data, &memory.states})
    TileSums::list(arrays, summation, points->tiling.tiles(), rank, ranks, parameter_count(model));
}

Tiles ExactLikelihood::Points::of_tile(Index tile) const {
  return Kokkos::subview(x, std::pair(tile, tile + 1), Kokkos::ALL, std::pair(Index{0}, tiling.lanes(mine.first + tile)));
}
void ExactLikelihood::Points::enumerate() {
  Tiles const to = x;
  Index const units = extent(to, 1), pitch = tiling.pitch();
  ChainNumbers const state(tiling, mine);
  Kokkos::parallel_for(
      "partita::all_states", Range(0, mine.count * units * pitch), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % pitch, i = n / pitch % units, tile = n / pitch / units;
        to(tile, i, lane) = Real(state.of(tile, lane) >> i & 1);
      });
}
TileScalars ExactLikelihood::Points::row(TileScalarStorage const& s, Index tile) const {
  return Kokkos::subview(s, std::pair(tile, tile + 1), std::pair(Index{0}, tiling.lanes(mine.first + tile)));
}

ExactLikelihood::ExactLikelihood(TrainableGibbsModel& model, data::Batches const& batches, Communicator communicator, Summation summation,
                                 ExactLikelihoodOptions options)
    : model_(model),
      batches_(batches),
      communicator_(communicator),
      options_(options),
      memory_({}, model, batches.batch(), communicator.rank(), communicator.ranks()),
      data_sums_(communicator, summation, memory_.data.tiling.tiles(), memory_.data.mine, parameter_count(model)),
      state_sums_(communicator, summation, memory_.states.tiling.tiles(), memory_.states.mine, parameter_count(model)) {
  memory_.states.enumerate();
}

void ExactLikelihood::describe_state(State& state) {
  state.add_scalar("objective/likelihood", likelihood_);
  state.add_scalar("objective/updates_since_report", updates_since_report_);
}

double ExactLikelihood::find_energies(Points& points, bool mean) {
  std::vector<double> mine;
  for (Index tile = 0; tile < points.mine.count; tile++) {
    Index const real = points.tiling.chains_in(points.mine.first + tile);
    TileScalars const energy = points.row(points.energy, tile);
    model_.energy(points.of_tile(tile), energy);
    auto const host = values_on_host(Kokkos::subview(points.energy, tile, Kokkos::ALL));
    double lowest = 0, sum = 0;
    for (Index l = 0; l < real; l++) lowest = std::min(lowest, double(host(l)));
    for (Index l = 0; l < real; l++) sum += mean ? double(host(l)) : std::exp(lowest - double(host(l)));
    mine.push_back(mean ? sum : lowest - std::log(sum));
  }
  auto const all = communicator_.all_gather(mine);
  double lowest = 0, total = 0;
  for (double e : all) lowest = std::min(lowest, e);
  for (double e : all) total += mean ? e : std::exp(lowest - e);
  return mean ? total / double(points.tiling.chains) : lowest - std::log(total);
}

Vector ExactLikelihood::weighted_gradient(Points& points, TileSums& sums, double sign, double log_z) {
  sums.start();
  Real const uniform = Real(1 / double(points.tiling.chains)), minus_log_z = Real(-log_z);
  bool const is_data = sign > 0;
  for (Index tile = 0; tile < points.mine.count; tile++) {
    Index const real = points.tiling.chains_in(points.mine.first + tile), lanes = points.tiling.lanes(points.mine.first + tile);
    Tiles const x = points.of_tile(tile);
    TileScalars const energy = points.row(points.energy, tile),
                      weight = Kokkos::subview(memory_.weight, Kokkos::ALL, std::pair(Index{0}, lanes));
    auto const weights = [&] {
      Kokkos::parallel_for(
          "partita::likelihood_weights", Range(0, lanes), KOKKOS_LAMBDA(Index l) {
            Real const w = is_data ? uniform : -std::exp(minus_log_z - energy(0, l));
            weight(0, l) = l < real ? w : Real(0);
          });
      return weight;
    };
    model_.add_energy_gradient(x, energy, weights, sums.partial(points.mine.first + tile));
  }
  return sums.finish();
}

Vector ExactLikelihood::gradient(Index update, Timers& timers) {
  {
    Timers::Scope const scope(timers, "data");
    batches_.fill(memory_.data.x, memory_.data.tiling, memory_.data.mine, update);
  }
  Timers::Scope const scope(timers, "parameter gradient");
  double const log_z = -find_energies(memory_.states, false);
  likelihood_ += -find_energies(memory_.data, true) - log_z;
  updates_since_report_++;
  Vector const of_data = weighted_gradient(memory_.data, data_sums_, 1, log_z),
               of_states = weighted_gradient(memory_.states, state_sums_, -1, log_z);
  Kokkos::parallel_for(
      "partita::likelihood_gradient", Range(0, extent(of_data, 0)), KOKKOS_LAMBDA(Index i) { of_data(i) += of_states(i); });
  ConstVector const parameters = model_.parameters();
  Real const decay = Real(options_.weight_decay);
  for (auto const& range : model_.weights())
    Kokkos::parallel_for(
        "partita::weight_decay", Range(range.first, range.first + range.count),
        KOKKOS_LAMBDA(Index i) { of_data(i) = std::fma(decay, parameters(i), of_data(i)); });
  return of_data;
}

std::vector<Series> ExactLikelihood::series() const {
  return {{"log_likelihood", "mean log p of the minibatches since the last row in nats, exact", true}};
}

std::vector<double> ExactLikelihood::report(Index) {
  double const mean = likelihood_ / double(std::max<Index>(updates_since_report_, 1));
  likelihood_ = 0;
  updates_since_report_ = 0;
  return {mean};
}

ObjectiveEntry exact_likelihood_objective() {
  return {{exact_likelihood_schema(),
           [](ObjectiveContext const& c) {
             return std::make_unique<ExactLikelihood>(as<TrainableGibbsModel>(c.model), *c.batches, c.ranks, c.summation,
                                                      c.deck.at("objective").as<ExactLikelihoodOptions>());
           }},
          [](ObjectiveListing const& l) {
            Index const batch = batch_of(l.deck);
            ExactLikelihood::list(l.arrays, as<TrainableGibbsModel const>(l.model), batch, l.summation, l.rank, l.ranks);
            return ObjectiveEntry::Laid{ExactLikelihood::tiling(batch)};
          },
          {Capabilities::only<TrainableGibbsModel>(), Capabilities::only<SoftmaxRbm, GaussianRbm>()},
          false,
          true,
          [](Fit const& fit) { fit.attempt_on<TrainableGibbsModel>(ExactLikelihood::require_fit); }};
}

}  // namespace partita
