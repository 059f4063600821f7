#include "objectives/contrastive_divergence.hpp"

#include <cmath>

#include "core/require.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

// The order of generations: a new random one for each pass over the buffer would be no better than a keyed draw, which needs no state.
std::size_t generation(random::Key key, Index update, std::size_t generations) {
  auto const w = random::words(key, 0, random::Stream::replay_choice, static_cast<std::uint64_t>(update), 0);
  return random::below(w.w[0], static_cast<std::uint32_t>(generations));
}

}  // namespace

namespace {

// Keys of both objectives.
std::vector<deck::Key> contrastive_keys() {
  using O = ContrastiveOptions;
  return {deck::key("sampler_steps", &O::sampler_steps, "k, sampler steps of the chains in each update").at_least(1),
          deck::key("data_noise", &O::data_noise, "standard deviation of Gaussian noise added to the data").at_least(0),
          deck::key("energy_penalty", &O::energy_penalty, "alpha of the penalty alpha (mean E(data)^2 + mean E(chains)^2)").at_least(0),
          deck::key("divergence_bound", &O::divergence_bound,
                    "largest |d_s|, the energy gap of data and chains; beyond it the run stops with exit code 5")
              .above(0)};
}

}  // namespace

deck::Schema contrastive_divergence_schema() {
  return {"contrastive_divergence", "CD-k: chains start at the minibatch and make k steps", contrastive_keys()};
}

deck::Schema persistent_cd_schema() {
  using O = PersistentOptions;
  auto schema = deck::schema<O>(
      "persistent_cd", "PCD-k: chains live on in a replay buffer, of which each update advances one batch by k steps",
      {deck::key("chains", &O::chains, "chains in the replay buffer, a multiple of train.batch").at_least(1),
       deck::key("restart_fraction", &O::restart_fraction, "share of the chains of an update that start anew").at_least(0).at_most(1)});
  for (deck::Key& k : contrastive_keys()) schema.keys.push_back(std::move(k));
  return schema;
}

ContrastiveDivergence::ContrastiveDivergence(TrainableModel& model, Sampler& sampler, data::Batches const& batches,
                                             Communicator communicator, Summation summation, random::Key key, Index tile_width,
                                             ChainStart start, ContrastiveOptions options, PersistentOptions persistent,
                                             InitialDistribution initial)
    : model_(model),
      sampler_(sampler),
      batches_(batches),
      communicator_(communicator),
      key_(key),
      start_(start),
      options_(options),
      persistent_(persistent),
      initial_(initial),
      tiling_{batches.batch(), tile_width},
      mine_(share_of_tiles(tiling_.tiles(), communicator.rank(), communicator.ranks())),
      data_("minibatch", mine_.count, model.dimension(), tiling_.pitch()),
      energy_("tile energy", 1, tiling_.pitch()),
      weight_("tile weight", 1, tiling_.pitch()),
      gradient_x_("tile gradient", 1, model.dimension(), tiling_.pitch()),
      sums_(communicator, summation, tiling_.tiles(), mine_, static_cast<Index>(model.parameters().extent(0))),
      energy_sums_("energy sums", static_cast<std::size_t>(mine_.count), 2) {
  Index const batch = batches.batch(), generations = start == ChainStart::persistent ? divide_up(persistent.chains, batch) : 1;
  require_all(start == ChainStart::at_data || persistent.chains == generations * batch, ExitCode::usage,
              "objective.chains = {} is no multiple of train.batch = {} (each update advances one batch of the replay buffer); use {}",
              persistent.chains, batch, generations * batch);
  model.reserve(tiles_in_flight(mine_.count), tiling_.width);
  for (Index g = 0; g < generations; g++) {
    Chains chains("replay chains", tiling_, mine_, model.dimension());
    chains.first_number = g * tiling_.tiles() * tiling_.width;
    if (start == ChainStart::persistent) initialise(chains, key, random::Stream::initial_state, 0, initial);
    sampler.prepare(model, chains, key);
    buffer_.push_back(std::move(chains));
  }
}

std::size_t ContrastiveDivergence::bytes() const {
  std::size_t total = sizeof(Real) * (data_.size() + gradient_x_.size()) + sums_.bytes();
  for (Chains const& c : buffer_) total += c.bytes();
  return total;
}

void ContrastiveDivergence::describe_state(State& state) {
  for (std::size_t g = 0; g < buffer_.size(); g++) buffer_[g].describe_state(state, fmt::format("replay/{:04}", g));
  sampler_.describe_state(state);
  state.add_by_tile("objective/energy_sums", energy_sums_, mine_, tiling_.tiles());
  state.add_scalar("objective/updates_since_report", updates_since_report_);
  state.add_scalar("objective/last_generation", last_);
}

void ContrastiveDivergence::add_data_noise(Index update) {
  if (options_.data_noise == 0) return;
  auto const x = data_;
  auto const key = key_;
  Index const d = model_.dimension(), groups = divide_up(d, 4), pitch = tiling_.pitch(), first = mine_.first * tiling_.width,
              width = tiling_.width;
  Real const deviation = static_cast<Real>(options_.data_noise);
  Kokkos::parallel_for(
      "partita::data_noise", Range(0, mine_.count * groups * pitch), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % pitch, group = n / pitch % groups, tile = n / pitch / groups;
        auto const w = random::words(key, static_cast<std::uint64_t>(first + tile * width + lane), random::Stream::data_noise,
                                     static_cast<std::uint64_t>(update), static_cast<std::uint32_t>(group));
        auto const p = random::normal_pair(w.w[0], w.w[1], Real()), q = random::normal_pair(w.w[2], w.w[3], Real());
        Real const normal[4] = {p.a, p.b, q.a, q.b};
        for (Index k = 0; k < 4 && 4 * group + k < d; k++) x(tile, 4 * group + k, lane) += deviation * normal[k];
      });
}

Chains& ContrastiveDivergence::chains_for(Index update) {
  last_ = start_ == ChainStart::persistent ? generation(key_, update, buffer_.size()) : 0;
  Chains& chains = buffer_[last_];
  if (start_ == ChainStart::persistent) restart_some(chains, key_, update, initial_, persistent_.restart_fraction);
  else Kokkos::deep_copy(chains.x, data_);
  return chains;
}

void ContrastiveDivergence::accumulate(TileStorage const& x, Index tile, double sign, Vector sum, int column) {
  Index const global = mine_.first + tile, lanes = tiling_.lanes(global), real = tiling_.chains_in(global);
  auto const whole = [&](TileScalarStorage const& s) { return TileScalars(Kokkos::subview(s, Kokkos::ALL, std::pair(Index{0}, lanes))); };
  Tiles const here = Kokkos::subview(x, std::pair(tile, tile + 1), Kokkos::ALL, std::pair(Index{0}, lanes));
  TileScalars const energy = whole(energy_), weight = whole(weight_);
  model_.jet_forward(here, {}, 0, energy, {}, {});
  double const scale = 1 / static_cast<double>(batches_.batch());
  Real const linear = static_cast<Real>(sign * scale), quadratic = static_cast<Real>(2 * options_.energy_penalty * scale);
  double total = 0;
  Kokkos::parallel_reduce(
      "partita::contrastive_weights", Range(0, lanes),
      KOKKOS_LAMBDA(Index l, double& s) {
        // Lanes past the batch only fill up the vectors.
        weight(0, l) = l < real ? std::fma(quadratic, energy(0, l), linear) : Real(0);
        if (l < real) s += static_cast<double>(energy(0, l));
      },
      total);
  model_.jet_reverse(here, weight, {}, {}, sum);
  energy_sums_(static_cast<std::size_t>(tile), column) += total;
}

Vector ContrastiveDivergence::gradient(Index update, Timers& timers) {
  {
    Timers::Scope const scope(timers, "data");
    batches_.fill(data_, tiling_, mine_, update);
    add_data_noise(update);
  }
  {
    Timers::Scope const scope(timers, "sampling");
    sampler_.advance(model_, chains_for(update), key_, update * options_.sampler_steps, options_.sampler_steps);
  }
  {
    Timers::Scope const scope(timers, "parameter gradient");
    sums_.start();
    for (Index tile = 0; tile < mine_.count; tile++) {
      Vector const sum = sums_.partial(mine_.first + tile);
      accumulate(data_, tile, 1, sum, 0);
      accumulate(buffer_[last_].x, tile, -1, sum, 1);
    }
  }
  updates_since_report_++;
  Timers::Scope const scope(timers, "reduction");
  return sums_.finish();
}

double ContrastiveDivergence::mean_gradient_step() {
  std::vector<double> totals(static_cast<std::size_t>(mine_.count));
  for (Index tile = 0; tile < mine_.count; tile++) {
    Index const global = mine_.first + tile, lanes = tiling_.lanes(global), d = model_.dimension();
    TileScalars const energy = Kokkos::subview(energy_, Kokkos::ALL, std::pair(Index{0}, lanes));
    Tiles const g = Kokkos::subview(gradient_x_, Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, lanes));
    model_.energy_and_gradient(buffer_[last_].tiles(tile, 1, lanes), energy, g);
    Kokkos::parallel_reduce(
        "partita::gradient_length", Range(0, tiling_.chains_in(global)),
        KOKKOS_LAMBDA(Index l, double& s) {
          double square = 0;
          for (Index i = 0; i < d; i++) square += static_cast<double>(g(0, i, l)) * static_cast<double>(g(0, i, l));
          s += std::sqrt(square);
        },
        totals[static_cast<std::size_t>(tile)]);
  }
  return sampler_.step_size() * sum_over_tiles(communicator_, mine_, tiling_.tiles(), totals, 1)[0] / static_cast<double>(batches_.batch());
}

TrainingHealth ContrastiveDivergence::health() {
  std::vector<double> mine(energy_sums_.data(), energy_sums_.data() + energy_sums_.size());
  auto const sums = sum_over_tiles(communicator_, mine_, tiling_.tiles(), mine, 2);
  double const evaluated = static_cast<double>(batches_.batch() * std::max<Index>(updates_since_report_, 1));
  Kokkos::deep_copy(energy_sums_, 0.);
  updates_since_report_ = 0;
  TrainingHealth h{sums[0] / evaluated, sums[1] / evaluated, 0, mean_gradient_step()};
  h.energy_gap = h.energy_data - h.energy_chains;
  return h;
}

std::vector<Series> ContrastiveDivergence::series() const {
  return {{"d_s", "mean E(data) - mean E(chains), averaged over the updates since the last row", true},
          {"r_s", "mean length of the chains' gradient step eta |dE/dx| at this update", true},
          {"energy_data", "mean E(data) over the updates since the last row"},
          {"energy_chains", "mean E(chains) over the updates since the last row"}};
}

std::vector<double> ContrastiveDivergence::report(Index update) {
  TrainingHealth const h = health();
  last_energy_ = h.energy_chains;
  require_finite(update);
  require_all(
      std::abs(h.energy_gap) <= options_.divergence_bound, ExitCode::numerical,
      "the energy gap d_s = {:.4g} passed objective.divergence_bound = {:.4g} at update {}: data and chains run apart; use a smaller "
      "optimizer.learning_rate, more objective.sampler_steps or some objective.energy_penalty, and continue from the last checkpoint",
      h.energy_gap, options_.divergence_bound, update);
  return {h.energy_gap, h.gradient_step, h.energy_data, h.energy_chains};
}

void ContrastiveDivergence::settle(Index updates, Index steps) {
  for (Chains& chains : buffer_) sampler_.advance(model_, chains, key_, updates * options_.sampler_steps, steps);
}

}  // namespace partita
