#include "objectives/exact_likelihood.hpp"

#include <cmath>

#include "core/require.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;
constexpr Index width = 256;

Index states_of(BoltzmannModel const& model) {
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

void ExactLikelihood::require_fit(BoltzmannModel const& model) {
  require_all(model.binary() && model.dimension() == model.visible_dimension() && model.dimension() <= most_units, ExitCode::usage,
              "objective.type = \"exact_likelihood\" sums over all states of a machine's visible units: at most {} binary ones, and hidden "
              "units none, or those of an rbm; use persistent_cd",
              most_units);
}

ExactLikelihood::Points::Points(std::string const& name, Tiling const& t, BoltzmannModel const& model, Communicator const& ranks,
                                Summation summation)
    : tiling(t),
      mine(share_of_tiles(t.tiles(), ranks.rank(), ranks.ranks())),
      x(name, mine.count, model.dimension(), t.pitch()),
      energy(name + " energies", mine.count, t.pitch()),
      sums(ranks, summation, t.tiles(), mine, static_cast<Index>(model.parameters().extent(0))) {}

Tiles ExactLikelihood::Points::of_tile(Index tile) const {
  return Kokkos::subview(x, std::pair(tile, tile + 1), Kokkos::ALL, std::pair(Index{0}, tiling.lanes(mine.first + tile)));
}
TileScalars ExactLikelihood::Points::row(TileScalarStorage const& s, Index tile) const {
  return Kokkos::subview(s, std::pair(tile, tile + 1), std::pair(Index{0}, tiling.lanes(mine.first + tile)));
}

ExactLikelihood::ExactLikelihood(BoltzmannModel& model, data::Batches const& batches, Communicator communicator, Summation summation,
                                 ExactLikelihoodOptions options)
    : model_(model),
      batches_(batches),
      communicator_(communicator),
      options_(options),
      data_("minibatch", {batches.batch(), std::min(width, round_up(batches.batch(), lane_quantum))}, model, communicator, summation),
      states_("all states", {states_of(model), std::min(width, round_up(states_of(model), lane_quantum))}, model, communicator, summation),
      weight_("weights", 1, round_up(width, pitch_quantum)) {
  model.reserve(1, width);
  auto const x = states_.x;
  Index const units = model.dimension(), pitch = states_.tiling.pitch();
  ChainNumbers const state(states_.tiling, states_.mine);
  Kokkos::parallel_for(
      "partita::all_states", Range(0, states_.mine.count * units * pitch), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % pitch, i = n / pitch % units, tile = n / pitch / units;
        x(tile, i, lane) = static_cast<Real>(state.of(tile, lane) >> i & 1);
      });
}

std::size_t ExactLikelihood::bytes() const {
  return sizeof(Real) * (data_.x.size() + states_.x.size() + data_.energy.size() + states_.energy.size()) + data_.sums.bytes() +
         states_.sums.bytes();
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
    auto const host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), Kokkos::subview(points.energy, tile, Kokkos::ALL));
    double lowest = 0, sum = 0;
    for (Index l = 0; l < real; l++) lowest = std::min(lowest, static_cast<double>(host(l)));
    for (Index l = 0; l < real; l++) sum += mean ? static_cast<double>(host(l)) : std::exp(lowest - static_cast<double>(host(l)));
    mine.push_back(mean ? sum : lowest - std::log(sum));
  }
  auto const all = communicator_.all_gather(mine);
  double lowest = 0, total = 0;
  for (double e : all) lowest = std::min(lowest, e);
  for (double e : all) total += mean ? e : std::exp(lowest - e);
  return mean ? total / static_cast<double>(points.tiling.chains) : lowest - std::log(total);
}

Vector ExactLikelihood::weighted_gradient(Points& points, double sign, double log_z) {
  points.sums.start();
  Real const uniform = static_cast<Real>(1 / static_cast<double>(points.tiling.chains)), minus_log_z = static_cast<Real>(-log_z);
  bool const is_data = sign > 0;
  for (Index tile = 0; tile < points.mine.count; tile++) {
    Index const real = points.tiling.chains_in(points.mine.first + tile), lanes = points.tiling.lanes(points.mine.first + tile);
    Tiles const x = points.of_tile(tile);
    TileScalars const energy = points.row(points.energy, tile), weight = Kokkos::subview(weight_, Kokkos::ALL, std::pair(Index{0}, lanes));
    auto const weights = [&] {
      Kokkos::parallel_for(
          "partita::likelihood_weights", Range(0, lanes), KOKKOS_LAMBDA(Index l) {
            Real const w = is_data ? uniform : -std::exp(minus_log_z - energy(0, l));
            weight(0, l) = l < real ? w : Real(0);
          });
      return weight;
    };
    model_.add_energy_gradient(x, energy, weights, points.sums.partial(points.mine.first + tile));
  }
  return points.sums.finish();
}

Vector ExactLikelihood::gradient(Index update, Timers& timers) {
  {
    Timers::Scope const scope(timers, "data");
    batches_.fill(data_.x, data_.tiling, data_.mine, update);
  }
  Timers::Scope const scope(timers, "parameter gradient");
  double const log_z = -find_energies(states_, false);
  likelihood_ += -find_energies(data_, true) - log_z;
  updates_since_report_++;
  Vector const of_data = weighted_gradient(data_, 1, log_z), of_states = weighted_gradient(states_, -1, log_z);
  Kokkos::parallel_for(
      "partita::likelihood_gradient", Range(0, static_cast<Index>(of_data.extent(0))),
      KOKKOS_LAMBDA(Index i) { of_data(i) += of_states(i); });
  ConstVector const parameters = model_.parameters();
  Real const decay = static_cast<Real>(options_.weight_decay);
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
  double const mean = likelihood_ / static_cast<double>(std::max<Index>(updates_since_report_, 1));
  likelihood_ = 0;
  updates_since_report_ = 0;
  return {mean};
}

}  // namespace partita
