#include "objectives/contrastive_divergence.hpp"

#include <cmath>

#include "core/copy.hpp"
#include "core/log.hpp"
#include "core/require.hpp"
#include "core/tile_reduction.hpp"
#include "objectives/entry.hpp"
#include "objectives/train_options.hpp"
#include "samplers/chain_options.hpp"
#include "samplers/gibbs.hpp"
#include "samplers/start_chains.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

// The first generation that an update advances: a keyed draw, which needs no state. A random order for each pass would be no better.
std::size_t generation(random::Key key, Index update, std::size_t generations) {
  auto const w = random::words(key, 0, random::Stream::replay_choice, std::uint64_t(update), 0);
  return random::below(w.w[0], std::uint32_t(generations));
}

constexpr Index updates_between_checks = 10;  // of the step size: a check evaluates dE/dx once, an update does so sampler_steps times

// Limits for the energy gap and for its drift, in standard deviations of the chains' energies. A gap of half a deviation between data and
// chains is visible in histograms of their energies.
constexpr double far_gap = 0.5, drift_of_gap = 0.25;

enum Reported : std::size_t { gap, data, chains, spread };  // places of series()

template <class View>
std::vector<double> numbers_on_host(View const& view) {
  auto const host = values_on_host(view);
  return {host.data(), host.data() + host.size()};
}

double mean_of(std::vector<std::vector<double>> const& rows, std::size_t first, std::size_t end, Reported which) {
  double sum = 0;
  for (std::size_t r = first; r < end; r++) sum += rows[r][which];
  return sum / double(end - first);
}

double squared_error_of_mean(std::vector<std::vector<double>> const& rows, std::size_t first, std::size_t end, Reported which) {
  double const mean = mean_of(rows, first, end, which), n = double(end - first);
  double sum = 0;
  for (std::size_t r = first; r < end; r++) sum += (rows[r][which] - mean) * (rows[r][which] - mean);
  return sum / (n * (n - 1));
}

Index generations_of(ChainStart start, PersistentOptions const& o, Index batch) {
  return start == ChainStart::persistent ? divide_up(o.chains, batch) : 1;
}
// Of a machine, 0 of another energy.
Index unit_count(TrainableEnergy const& model) {
  auto const* machine = dynamic_cast<TrainableGibbsModel const*>(&model);
  return machine ? machine->unit_count() : 0;
}
// Parameters, and behind them the means of a machine's units.
Index length_of_sums(TrainableEnergy const& model) { return parameter_count(model) + unit_count(model); }

// Keys of both objectives.
std::vector<deck::Key> contrastive_keys() {
  using O = ContrastiveOptions;
  return {
      deck::key("sampler_steps", &O::sampler_steps, "number k of sampler steps that chains make in each update").at_least(1),
      deck::key("data_noise", &O::data_noise, "standard deviation of Gaussian noise added to the data").at_least(0),
      deck::key("energy_penalty", &O::energy_penalty, "alpha of the penalty alpha (mean E(data)^2 + mean E(chains)^2)").at_least(0),
      deck::key("positive_steps", &O::positive_steps,
                "Gibbs sweeps of the hidden units given the data in each update, for machines whose hidden units depend on one another")
          .at_least(1),
      deck::key("centred", &O::centred, "Boltzmann machines: whether the gradient is centred, with running means of the units as offsets"),
      deck::key("offset_rate", &O::offset_rate, "weight of each update's data in the running means of the units")
          .above(0)
          .at_most(1)
          .only_with("centred", {true}),
      deck::key("weight_decay", &O::weight_decay, "Boltzmann machines: lambda of the penalty lambda/2 |W|^2, on weights only").at_least(0),
      deck::key("sparsity_target", &O::sparsity_target, "Boltzmann machines: mean value towards which sparsity_cost moves the hidden units")
          .at_least(0)
          .at_most(1)
          .not_with("sparsity_cost", {0.}),
      deck::key("sparsity_cost", &O::sparsity_cost,
                "Boltzmann machines: factor of (mean value - sparsity_target), which is added to the gradient of the hidden units' biases; "
                "0: none")
          .at_least(0),
      deck::key("divergence_bound", &O::divergence_bound,
                "largest |energy_gap|, mean energy of the data less that of the chains; beyond it the training has diverged "
                "(train.on_divergence)")
          .above(0)};
}

}  // namespace

deck::Schema contrastive_divergence_schema() {
  return {"contrastive_divergence", "CD-k: chains start at the minibatch and make k steps", contrastive_keys()};
}

deck::Schema persistent_cd_schema() {
  using O = PersistentOptions;
  auto schema = deck::schema<O>(
      "persistent_cd", "PCD-k: chains live on in a replay buffer, of which each update advances some by k steps",
      {deck::key("chains", &O::chains, "number of chains in the replay buffer, a multiple of train.batch").at_least(1),
       deck::key("chains_per_update", &O::chains_per_update,
                 "number of chains that an update advances, a multiple of train.batch; 0: as many as train.batch")
           .at_least(0),
       deck::key("restart_fraction", &O::restart_fraction, "fraction of the chains of an update that start anew").at_least(0).at_most(1)});
  for (deck::Key& k : contrastive_keys()) schema.keys.push_back(std::move(k));
  return schema;
}

void ContrastiveDivergence::require_fit(bool is_machine, Index batch, ChainStart start, ContrastiveOptions const& options,
                                        PersistentOptions const& persistent) {
  require_all(is_machine || (!options.centred && options.weight_decay == 0 && options.sparsity_cost == 0), ExitCode::usage,
              "objective.centred, weight_decay and sparsity_cost are for Boltzmann machines; remove them (optimizer.type = \"adam\" has a "
              "weight_decay of its own)");
  if (start == ChainStart::at_data) return;
  require_all(persistent.chains % batch == 0, ExitCode::usage,
              "objective.chains = {} is not a multiple of train.batch = {} (each update advances one batch of the replay buffer); use {}",
              persistent.chains, batch, round_up(persistent.chains, batch));
  Index const per_update = std::max(persistent.chains_per_update, batch);
  require_all(per_update % batch == 0 && per_update <= persistent.chains, ExitCode::usage,
              "objective.chains_per_update = {} is not a multiple of train.batch = {} up to objective.chains = {}; use {}", per_update,
              batch, persistent.chains, batch);
}

ContrastiveDivergence::Memory::Memory(Arrays arrays, TrainableEnergy const& model, Share const& share, Index generations, bool centred)
    : data("minibatch", share.tiling, share.mine(), model.dimension(), arrays),
      energy(arrays.make<TileScalarStorage>("tile energy", tiles_in_flight(share.mine().count), share.tiling.pitch())),
      weight(arrays.make<TileScalarStorage>("weight of each chain in the gradient", tiles_in_flight(share.mine().count),
                                            share.tiling.pitch())),
      gradient(arrays.make<TileStorage>("tile gradient", tiles_in_flight(share.mine().count), model.dimension(), share.tiling.pitch())),
      lengths(arrays.make<DeviceVector<double>>("gradient lengths", share.mine().count)),
      offsets(arrays.make<Vector>("offsets", centred ? unit_count(model) : 0)),
      energy_sums(arrays.make<decltype(energy_sums)>("energy sums", share.mine().count, 3)) {
  for (Index g = 0; g < generations; g++) buffer.emplace_back("replay chains", share.tiling, share.mine(), model.dimension(), arrays);
  model.work(arrays, tiles_in_flight(share.mine().count), share.tiling.width);
}

void ContrastiveDivergence::list(Arrays arrays, TrainableEnergy const& model, Share const& share, Summation summation, ChainStart start,
                                 ContrastiveOptions const& options, PersistentOptions const& persistent) {
  Memory(arrays, model, share, generations_of(start, persistent, share.tiling.chains), options.centred);
  TileSums::list(arrays, summation, share.tiling.tiles(), share.rank, share.ranks, length_of_sums(model));
  bool const restarts = start == ChainStart::persistent && persistent.restart_fraction > 0 && persistent.restart_fraction < 1;
  if (restarts && dynamic_cast<GibbsModel const*>(&model) != nullptr)
    arrays.count<Real>("units that may start anew", share.mine().count, model.dimension(), share.tiling.pitch());
}

ContrastiveDivergence::ContrastiveDivergence(TrainableEnergy& model, Sampler& sampler, data::Batches const& batches,
                                             Communicator communicator, Summation summation, random::Key key, Index tile_width,
                                             ChainStart start, ContrastiveOptions options, PersistentOptions persistent,
                                             InitialDistribution initial, FillBatch fill)
    : model_(model),
      machine_(dynamic_cast<TrainableGibbsModel*>(&model)),
      differentiable_(sampler.step_size() > 0 ? dynamic_cast<DifferentiableModel const*>(&model) : nullptr),
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
      fill_(fill ? std::move(fill)
                 : [this](TileStorage to, Tiling const& tiling, TileRange mine, Index update) { batches_.fill(to, tiling, mine, update); }),
      memory_({}, model, {tiling_, communicator.rank(), communicator.ranks()}, generations_of(start, persistent, batches.batch()),
              options.centred),
      draws_hidden_(model.visible_dimension() < model.dimension()),
      sums_(communicator, summation, tiling_.tiles(), mine_, length_of_sums(model)),
      step_size_asked_(sampler.step_size()) {
  Index const batch = batches.batch(), generations = std::ssize(memory_.buffer);
  require_fit(machine_ != nullptr, batch, start, options, persistent);
  if (start == ChainStart::persistent) advanced_ = std::size_t(std::max(persistent.chains_per_update, batch) / batch);
  memory_.data.first_number = generations * tiling_.tiles() * tiling_.width;
  if (draws_hidden_) {
    DeviceVector<std::uint8_t> const held("data", model.dimension());
    fill_array(Kokkos::subview(held, std::pair(Index{0}, model.visible_dimension())), std::uint8_t{1});
    memory_.data.held = held;
  }
  for (Index g = 0; g < generations; g++) memory_.buffer[g].first_number = g * tiling_.tiles() * tiling_.width;
  place_chains();
  for (Chains& chains : memory_.buffer) sampler.prepare(model, chains, key);
}

void ContrastiveDivergence::place_chains() {
  if (start_ == ChainStart::at_data) return;
  for (Chains const& chains : memory_.buffer)
    start_chains(model_, chains, {.key = key_, .stream = random::Stream::initial_state}, initial_);
}

void ContrastiveDivergence::describe_state(State& state) {
  for (std::size_t g = 0; g < memory_.buffer.size(); g++) memory_.buffer[g].describe_state(state, fmt::format("replay/{:04}", g));
  sampler_.describe_state(state);
  state.add_by_tile("objective/energy_sums", memory_.energy_sums, mine_, tiling_.tiles());
  state.add_scalar("objective/updates_since_report", updates_since_report_);
  state.add_scalar("objective/last_generation", last_);
  if (memory_.offsets.extent(0) > 0) {
    state.add("objective/offsets", memory_.offsets);
    state.add_scalar("objective/offset_updates", offset_updates_);
  }
}

void ContrastiveDivergence::add_data_noise(Index update) {
  if (options_.data_noise == 0) return;
  auto const x = memory_.data.x;
  auto const key = key_;
  Index const d = model_.visible_dimension(), groups = divide_up(d, 4), pitch = tiling_.pitch(), first = mine_.first * tiling_.width,
              width = tiling_.width;
  Real const deviation = Real(options_.data_noise);
  Kokkos::parallel_for(
      "partita::data_noise", Range(0, mine_.count * groups * pitch), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % pitch, group = n / pitch % groups, tile = n / pitch / groups;
        auto const w = random::words(key, std::uint64_t(first + tile * width + lane), random::Stream::data_noise, std::uint64_t(update),
                                     std::uint32_t(group));
        auto const p = random::normal_pair(w.w[0], w.w[1], Real()), q = random::normal_pair(w.w[2], w.w[3], Real());
        Real const normal[4] = {p.a, p.b, q.a, q.b};
        for (Index k = 0; k < 4 && 4 * group + k < d; k++) x(tile, 4 * group + k, lane) += deviation * normal[k];
      });
}

// Hidden units that are not summed out are reinitialised, half of them on, and then drawn given the data.
void ContrastiveDivergence::draw_hidden_given_data(Index update) {
  if (!draws_hidden_) return;
  start_chains(model_, memory_.data, {.key = key_, .stream = random::Stream::gibbs_start, .step = update}, initial_);
  Gibbs().advance(model_, memory_.data, key_, {0, mine_.count}, update * options_.positive_steps, options_.positive_steps);
}

std::vector<Chains*> ContrastiveDivergence::chains_for(Index update) {
  bool const persists = start_ == ChainStart::persistent;
  last_ = persists && advanced_ < memory_.buffer.size() ? generation(key_, update, memory_.buffer.size()) : 0;
  std::vector<Chains*> out;
  for (std::size_t g = 0; g < advanced_; g++) {
    Chains& chains = memory_.buffer[(last_ + g) % memory_.buffer.size()];
    if (persists)
      start_chains(model_, chains,
                   {.key = key_, .stream = random::Stream::restart_state, .step = update, .fraction = persistent_.restart_fraction},
                   initial_);
    else copy_array(chains.x, memory_.data.x);
    out.push_back(&chains);
  }
  return out;
}

void ContrastiveDivergence::weigh(TileRange tiles, ConstTileScalars energy, Real linear, Real quadratic, TileScalars weight) const {
  Index const lanes = extent(weight, 1), width = tiling_.width, chains = chains_from(tiles.first);
  Kokkos::parallel_for(
      "partita::contrastive_weights", Range(0, tiles.count * lanes), KOKKOS_LAMBDA(Index n) {
        Index const t = n / lanes, l = n % lanes;
        weight(t, l) = t * width + l < chains ? std::fma(quadratic, energy(t, l), linear) : Real(0);
      });
}

void ContrastiveDivergence::add_energies(TileRange tiles, ConstTileScalars energy, int sign, double scale) const {
  Index const width = tiling_.width, chains = chains_from(tiles.first), first = tiles.first;
  auto const sums = memory_.energy_sums;
  sum_over_lanes<TwoSums>(
      "partita::contrastive_energies", tiles.count, extent(energy, 1),
      KOKKOS_LAMBDA(Index t, Index l) {
        double const e = t * width + l < chains ? double(energy(t, l)) : 0.;
        return TwoSums{e, e * e};
      },
      KOKKOS_LAMBDA(Index t, TwoSums const& s) {
        sums(first + t, sign > 0 ? 0 : 1) += s.first * scale;
        if (sign < 0) sums(first + t, 2) += s.second * scale;
      });
}

void ContrastiveDivergence::accumulate(TileStorage const& x, TileRange tiles, Index lanes, int sign, double scale, Vector sum) {
  Tiles const here = Kokkos::subview(x, std::pair(tiles.first, tiles.end()), Kokkos::ALL, std::pair(Index{0}, lanes));
  TileScalars const energy = leading(memory_.energy, tiles.count, lanes), weight = leading(memory_.weight, tiles.count, lanes);
  auto const parameters = extent(model_.parameters(), 0);
  auto const weights = [&] {
    if (machine_ && sign > 0) {
      weigh(tiles, energy, Real(scale), 0, weight);
      machine_->add_unit_means(here, weight, Kokkos::subview(sum, std::pair(parameters, extent(sum, 0))));
    }
    weigh(tiles, energy, Real(sign * scale), Real(2 * options_.energy_penalty * scale), weight);
    return weight;
  };
  model_.add_energy_gradient(here, energy, weights, Kokkos::subview(sum, std::pair(Index{0}, parameters)));
  add_energies(tiles, energy, sign, scale);
}

void ContrastiveDivergence::regularise(Vector gradient, ConstVector unit_means) {
  machine_->rescale(gradient, unit_means);
  if (options_.centred) {
    auto const offsets = memory_.offsets;
    Real const rate = offset_updates_++ == 0 ? Real(1) : Real(options_.offset_rate);
    Kokkos::parallel_for(
        "partita::offsets", Range(0, extent(offsets, 0)),
        KOKKOS_LAMBDA(Index i) { offsets(i) = std::fma(rate, unit_means(i) - offsets(i), offsets(i)); });
    machine_->centre(gradient, memory_.offsets);
  }
  if (options_.weight_decay > 0) {
    ConstVector const parameters = model_.parameters();
    Real const decay = Real(options_.weight_decay);
    for (auto const& range : machine_->weights())
      Kokkos::parallel_for(
          "partita::weight_decay", Range(range.first, range.first + range.count),
          KOKKOS_LAMBDA(Index i) { gradient(i) = std::fma(decay, parameters(i), gradient(i)); });
  }
  if (options_.sparsity_cost > 0) {
    auto const range = machine_->hidden_biases();
    Index const first_hidden = extent(unit_means, 0) - range.count;
    Real const cost = Real(options_.sparsity_cost), target = Real(options_.sparsity_target);
    Kokkos::parallel_for(
        "partita::sparsity", Range(0, range.count), KOKKOS_LAMBDA(Index j) {
          gradient(range.first + j) = std::fma(cost, unit_means(first_hidden + j) - target, gradient(range.first + j));
        });
  }
}

Vector ContrastiveDivergence::gradient(Index update, Timers& timers) {
  {
    Timers::Scope const scope(timers, "data");
    fill_(memory_.data.x, tiling_, mine_, update);
    add_data_noise(update);
  }
  std::vector<Chains*> chains;
  {
    Timers::Scope const scope(timers, "sampling");
    draw_hidden_given_data(update);
    chains = chains_for(update);
    for (Chains* c : chains) sampler_.advance(model_, *c, key_, update * options_.sampler_steps, options_.sampler_steps);
    keep_step_stable(update);
  }
  {
    Timers::Scope const scope(timers, "parameter gradient");
    sums_.start();
    double const scale = 1 / double(batches_.batch());
    auto const add = [&](Index first, Index count, Index lanes) {
      Vector const sum = sums_.partial(mine_.first + first, count);
      accumulate(memory_.data.x, {first, count}, lanes, 1, scale, sum);
      for (Chains const* c : chains) accumulate(c->x, {first, count}, lanes, -1, scale / double(advanced_), sum);
    };
    for_tiles_of_one_width(tiling_, mine_, {0, mine_.count}, std::min(tiles_in_flight(mine_.count), sums_.most_together()), add);
  }
  updates_since_report_++;
  Timers::Scope const scope(timers, "reduction");
  Vector const sum = sums_.finish();
  if (!machine_) return sum;
  auto const parameters = extent(model_.parameters(), 0), all = extent(sum, 0);
  Vector const gradient = Kokkos::subview(sum, std::pair(Index{0}, parameters));
  regularise(gradient, Kokkos::subview(sum, std::pair(parameters, all)));
  return gradient;
}

double ContrastiveDivergence::mean_gradient_step() {
  Index const d = model_.dimension(), width = tiling_.width;
  auto const lengths = memory_.lengths;
  for_tiles_of_one_width(tiling_, mine_, {0, mine_.count}, tiles_in_flight(mine_.count), [&](Index first, Index count, Index lanes) {
    Index const chains = chains_from(first);
    Tiles const g = leading(memory_.gradient, count, d, lanes);
    differentiable_->energy_and_gradient(memory_.buffer[last_].tiles(first, count, lanes), leading(memory_.energy, count, lanes), g);
    sum_over_lanes<double>(
        "partita::gradient_length", count, lanes,
        KOKKOS_LAMBDA(Index t, Index l) {
          double square = 0;
          for (Index i = 0; i < d; i++) square += double(g(t, i, l)) * double(g(t, i, l));
          return t * width + l < chains ? std::sqrt(square) : 0.;
        },
        KOKKOS_LAMBDA(Index t, double sum) { lengths(first + t) = sum; });
  });
  auto const totals = numbers_on_host(lengths);
  return sampler_.step_size() * sum_over_tiles(communicator_, mine_, tiling_.tiles(), totals, 1)[0] / double(batches_.batch());
}

void ContrastiveDivergence::keep_step_stable(Index update) {
  if (!differentiable_ || update % updates_between_checks != 0) return;
  double const bound = sampler_.longest_gradient_step(model_.dimension());
  if (!std::isfinite(bound)) return;
  double const step = mean_gradient_step();
  if (!(step > bound)) return;
  sampler_.set_step_size(sampler_.step_size() / 2);
  log::warning(
      "sampler.step_size halved to {:.4g} at update {}: the chains' mean gradient step was {:.3g}, and above {:.3g} the sampler nears its "
      "bound of stability",
      sampler_.step_size(), update, step, bound);
}

TrainingHealth ContrastiveDivergence::energies_since_report() const {
  auto const mine = numbers_on_host(memory_.energy_sums);
  auto const sums = sum_over_tiles(communicator_, mine_, tiling_.tiles(), mine, 3);
  double const evaluated = double(std::max<Index>(updates_since_report_, 1));
  TrainingHealth h{.energy_data = sums[0] / evaluated, .energy_chains = sums[1] / evaluated};
  h.energy_gap = h.energy_data - h.energy_chains;
  h.energy_spread = std::sqrt(std::max(sums[2] / evaluated - h.energy_chains * h.energy_chains, 0.));
  return h;
}

TrainingHealth ContrastiveDivergence::health() {
  TrainingHealth h = energies_since_report();
  fill_array(memory_.energy_sums, 0.);
  updates_since_report_ = 0;
  if (differentiable_) h.gradient_step = mean_gradient_step();
  return h;
}

void ContrastiveDivergence::require_bounded(TrainingHealth const& h, Index update) const {
  require_all(std::abs(h.energy_gap) <= options_.divergence_bound, ExitCode::numerical,
              "energy_gap = {:.4g} (mean energy of the data less that of the chains) exceeded objective.divergence_bound = {:.4g} at "
              "update {}: data and chains diverge; use a smaller "
              "optimizer.learning_rate or sampler.step_size, more objective.sampler_steps or some objective.energy_penalty",
              h.energy_gap, options_.divergence_bound, update);
}

std::vector<Series> ContrastiveDivergence::series() const {
  std::vector<Series> out{{"energy_gap", "d_s = mean E(data) - mean E(chains), averaged over the updates since the last row", true, "d_s"},
                          {"energy_data", "mean E(data) over the updates since the last row"},
                          {"energy_chains", "mean E(chains) over the updates since the last row"},
                          {"energy_spread", "standard deviation of E(chains) over the updates since the last row"}};
  if (differentiable_)
    out.push_back({"gradient_step", "r_s, mean length of the chains' gradient step eta |dE/dx| at this update", true, "r_s"});
  return out;
}

std::vector<double> ContrastiveDivergence::report(Index update) {
  TrainingHealth const h = health();
  if (std::isfinite(h.energy_chains)) last_energy_ = h.energy_chains;
  require_finite(update);
  require_bounded(h, update);
  std::vector<double> out{h.energy_gap, h.energy_data, h.energy_chains, h.energy_spread};
  if (differentiable_) out.push_back(h.gradient_step);
  return out;
}

// Warnings from the last third of the reports, where the training should have converged.
std::vector<std::string> ContrastiveDivergence::warnings(std::vector<std::vector<double>> const& reports) const {
  std::vector<std::string> out;
  if (sampler_.step_size() < step_size_asked_ && !sampler_.adjusted())
    out.push_back(fmt::format(
        "sampler.step_size was halved from {:.4g} to {:.4g}, since the chains came near the sampler's bound of stability: the model is "
        "narrower in some direction than such steps can sample; start with the smaller step, add objective.data_noise, or use mala",
        step_size_asked_, sampler_.step_size()));
  if (sampler_.adjusted()) {
    Index accepted = 0;
    for (Chains const& chains : memory_.buffer) accepted += count_acceptance(chains);
    if (communicator_.all_reduce(accepted, Reduction::sum) == 0)
      out.push_back(
          "the chains accepted no proposal and are still where they started: nothing was learnt from them, and energy_gap is meaningless; "
          "use a smaller sampler.step_size");
  }
  std::size_t const end = reports.size(), first = end - (end + 2) / 3, middle = (first + end) / 2;
  if (end == 0) return out;
  double const gap_now = mean_of(reports, first, end, gap), deviation = mean_of(reports, first, end, spread);
  if (deviation == 0)
    out.push_back("all chains have the same energy in the last third of the training: they do not move, and energy_gap is meaningless");
  else if (std::abs(gap_now) > far_gap * deviation)
    out.push_back(fmt::format(
        "energy_gap, the mean energy of the data less that of the chains, is {:.4g} in the last third of the training, {:.2g} times "
        "the standard deviation of the chains' energies: {}",
        gap_now, std::abs(gap_now) / deviation,
        gap_now < 0
            ? "the chains have higher energies than the data: they lag behind a model that changes faster than they move, or the model "
              "is not yet learnt; try more objective.sampler_steps, another optimizer.learning_rate and more updates, and judge by a "
              "likelihood or a distance"
            : "the chains have lower energies than the data: they visit regions without data; train longer, with more objective.chains or "
              "persistent_cd"));
  constexpr std::size_t fewest = 10;  // reports in each half, for errors of their means
  if (middle - first < fewest) return out;
  double const drift = mean_of(reports, middle, end, gap) - mean_of(reports, first, middle, gap);
  double const error = std::sqrt(squared_error_of_mean(reports, first, middle, gap) + squared_error_of_mean(reports, middle, end, gap));
  if (std::abs(drift) > drift_of_gap * deviation && std::abs(drift) > 4 * error)
    out.push_back(
        fmt::format("energy_gap, the mean energy of the data less that of the chains, still drifts: by {:.4g} between the halves of the "
                    "last third of the training (standard deviation of the chains' energies: {:.4g}); the training has not converged, or "
                    "is about to diverge: look at energy_gap in history.h5, train longer or with a smaller optimizer.learning_rate",
                    drift, deviation));
  return out;
}

void ContrastiveDivergence::settle(Index updates, Index steps) {
  for (Chains& chains : memory_.buffer) sampler_.advance(model_, chains, key_, updates * options_.sampler_steps, steps);
}

void chains_fit(Fit const& fit, ChainStart start) {
  auto const train = fit.deck.at("train").as<TrainOptions>();
  auto const options = fit.own.as<ContrastiveOptions>();
  auto const persistent = fit.own.as<PersistentOptions>();
  fit.attempt([&] {
    ContrastiveDivergence::require_fit(fit.can.meets(Capabilities::only<TrainableGibbsModel, DeepBeliefNetwork>()), train.batch, start,
                                       options, persistent);
  });
  if (fit.sizes)
    fit.attempt([&] {
      random::check_budget(2 * (start == ChainStart::persistent ? persistent.chains : train.batch),
                           product_or_most(train.updates, options.sampler_steps), divide_up(fit.sizes->dimension, 4));
    });
  if (fit.can.has<SoftmaxRbm>() && options.centred)
    fit.refuse("centred",
               "objective.centred needs units that all items of the data show, and model.type = \"softmax_rbm\" is of units that are "
               "missing; set it to false");
}

namespace {

Tiling contrastive_tiling(deck::Document const& deck, Model const& model) {
  Index const batch = batch_of(deck);
  return {batch, deck.at("sampler").as<ChainOptions>().width(batch, model.dimension(), 4)};
}

ObjectiveEntry contrastive(deck::Schema schema, ChainStart start) {
  return {{std::move(schema),
           [start](ObjectiveContext const& c) {
             auto const chains = c.deck.at("sampler").as<ChainOptions>();
             auto const& block = c.deck.at("objective");
             auto const options = block.as<ContrastiveOptions>();
             auto const persistent = block.as<PersistentOptions>();
             return std::make_unique<ContrastiveDivergence>(as<TrainableEnergy>(c.model), *c.sampler, *c.batches, c.ranks, c.summation,
                                                            c.key, contrastive_tiling(c.deck, c.model).width, start, options, persistent,
                                                            chains.distribution());
           }},
          [start](ObjectiveListing const& l) {
            auto const& block = l.deck.at("objective");
            auto const persistent = block.as<PersistentOptions>();
            Tiling const tiling = contrastive_tiling(l.deck, l.model);
            ContrastiveDivergence::list(l.arrays, as<TrainableEnergy const>(l.model), l.share(tiling), l.summation, start,
                                        block.as<ContrastiveOptions>(), persistent);
            return ObjectiveEntry::Laid{tiling, start == ChainStart::persistent ? divide_up(persistent.chains, tiling.chains) : 1};
          },
          start == ChainStart::at_data ? needs<TrainableEnergy>()
                                       : Needs{Capabilities::only<TrainableEnergy>(), Capabilities::only<SoftmaxRbm>()},
          true,
          true,
          [start](Fit const& fit) { chains_fit(fit, start); },
          {},
          true,
          true};
}

}  // namespace

ObjectiveEntry contrastive_divergence_objective() { return contrastive(contrastive_divergence_schema(), ChainStart::at_data); }
ObjectiveEntry persistent_cd_objective() { return contrastive(persistent_cd_schema(), ChainStart::persistent); }

}  // namespace partita
