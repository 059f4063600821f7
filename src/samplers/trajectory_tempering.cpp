#include "samplers/trajectory_tempering.hpp"

#include "core/copy.hpp"
#include "core/log.hpp"
#include "core/require.hpp"
#include "models/warm_start.hpp"
#include "samplers/entry.hpp"
#include "samplers/gibbs.hpp"

namespace partita {

deck::Schema trajectory_tempering_schema() {
  using O = TrajectoryTemperingOptions;
  auto schema = deck::schema<O>(
      "trajectory_tempering", "Gibbs sweeps of a machine that swaps states with earlier parameters of its training",
      {deck::key("rungs", &O::rungs, "largest number of earlier parameters (rungs) that are kept, those of the start included").at_least(1),
       deck::key("copy_below_swap_rate", &O::copy_below_swap_rate,
                 "rate of swaps with the newest stored copy of the parameters below which the present ones are stored as a new rung")
           .above(0)
           .below(1)
           .formerly("freeze_below")
           .for_tasks({"train"}),
       deck::key("measure_every", &O::measure_every, "number of sampler steps over which the rate of swaps is measured")
           .at_least(1)
           .for_tasks({"train"}),
       deck::key("trajectory", &O::trajectory, "run directory or checkpoint of the training whose kept parameters are the rungs")
           .required()
           .for_tasks({"sample"})});
  for (deck::Key& k : ladder_keys()) schema.keys.push_back(std::move(k));
  return schema;
}

TrajectoryTempering::TrajectoryTempering(TrajectoryTemperingOptions const& o, LadderOptions const& ladder, Communicator communicator,
                                         Load load)
    : LadderSampler(0, o.rungs + 1, ladder, communicator),
      copy_below_swap_rate_(o.copy_below_swap_rate),
      measure_every_(o.measure_every),
      load_(std::move(load)) {}

void TrajectoryTempering::require_fit(std::vector<std::vector<Real>> const& kept, Index rungs, std::size_t parameters) {
  require_all(std::ssize(kept) <= rungs, ExitCode::usage, "sampler.rungs = {}, but the trajectory has {} copies; set it to that number",
              rungs, kept.size());
  for (auto const& copy : kept)
    require_all(copy.size() == parameters, ExitCode::data,
                "sampler.trajectory has {} parameters per copy, but the model of this deck has {}; use the same [model] as that run",
                copy.size(), parameters);
}

std::vector<Index> TrajectoryTempering::order() const {
  std::vector<Index> out{0};
  for (Index r = copies_; r >= 1; r--) out.push_back(r);
  return out;
}

void TrajectoryTempering::set_parameters(Index rung, ConstVector parameters) {
  copy_array(copy(rung).parameters(), parameters);
  copy(rung).parameters_changed();
}

void TrajectoryTempering::prepare(Model const& model, Chains& chains, random::Key key) {
  if (machines_.empty()) {
    for (Index r = 1; r < rungs(); r++) machines_.push_back(units_of(model).copy());
    auto const kept = load_ ? load_() : std::vector<std::vector<Real>>{};
    require_fit(kept, rungs() - 1, model.parameters().extent(0));
    for (std::size_t n = 0; n < kept.size(); n++) {
      Vector const parameters("parameters of a rung", kept[n].size());
      copy_array(parameters, kept[n]);
      set_parameters(Index(n) + 1, parameters);
    }
    copies_ = std::max<Index>(1, std::ssize(kept));
  }
  LadderSampler::prepare(model, chains, key);
}

// The model of the deck and the parameters of its earlier selves: each further rung has a machine of its own.
void TrajectoryTempering::list_rung(Arrays arrays, Index rung, Model const& model, Share const& share) const {
  if (rung == 0) return;
  auto const machine = units_of(model).copy(arrays);
  machine->work(arrays, tiles_in_flight(share.mine().count), share.tiling.width);
}

void TrajectoryTempering::advance_rung(Index rung, Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step,
                                       Index steps) {
  Gibbs gibbs({}, rung == 1 ? 0 : 1);
  gibbs.advance(rung == 0 ? model : copy(rung), chains, key, local, first_step, steps);
}

void TrajectoryTempering::energy(Index rung, Model const& present, ConstTiles x, TileScalars out) const {
  (rung == 0 ? units_of(present) : copy(rung)).path_energy(x, rung == 1 ? 0 : 1, out);
}

void TrajectoryTempering::compare(Index rung, Index neighbour, Model const& model, ConstTiles x, TileEnergies difference) const {
  auto const [one, other] = energies_.of(x);
  energy(rung, model, x, one);
  energy(neighbour, model, x, other);
  subtract(one, other, difference);
}

void TrajectoryTempering::before_advance(Model const& model, Index first_step) {
  if (load_ || first_step < next_measurement_) return;
  next_measurement_ = (first_step / measure_every_ + 1) * measure_every_;
  Swaps const newest = count_swaps().front();
  if (newest.attempted > 0 && newest.rate() < copy_below_swap_rate_) freeze(model);
  forget_swaps();
}

void TrajectoryTempering::freeze(Model const& model) {
  if (copies_ + 1 == rungs()) remove_redundant_copy();
  copies_++;
  set_parameters(copies_, model.parameters());
  copy_rung(0, copies_);
  log::info("present parameters kept for tempering, now {} copies", copies_);
}

// Removes the copy that swaps best with its neighbours: these will then swap best with one another.
void TrajectoryTempering::remove_redundant_copy() {
  if (copies_ == 1) fail(ExitCode::usage, "sampler.rungs = 1 keeps only the start of the training; use more");
  auto const swaps = count_swaps();                                                    // entry p: of order()[p] and order()[p + 1]
  auto const rate_of = [](Swaps const& s) { return s.attempted > 0 ? s.rate() : 1; };  // a copy without attempted swaps may go
  Index best = copies_;
  double highest = -1;
  for (Index r = copies_; r >= 2; r--) {
    auto const p = std::size_t(copies_ - r + 1);
    double const rate = rate_of(swaps[p - 1]) + rate_of(swaps[p]);
    if (rate > highest) highest = rate, best = r;
  }
  for (Index r = best; r < copies_; r++) {
    set_parameters(r, copy(r + 1).parameters());
    copy_rung(r + 1, r);
  }
  copies_--;
}

std::vector<Metric> TrajectoryTempering::results() const {
  auto out = LadderSampler::results();
  for (Metric& r : out)
    if (!r.warning.empty() && !std::isnan(r.value))
      r.warning += "; train with a larger sampler.copy_below_swap_rate, which keeps copies sooner";
  out.push_back({.name = "copies", .value = double(copies_), .definition = "earlier parameters on the ladder, the start included"});
  return out;
}

void TrajectoryTempering::describe_state(State& state) {
  LadderSampler::describe_state(state);
  state.add_scalar("sampler/trajectory/copies", copies_);
  state.add_scalar("sampler/trajectory/next_measurement", next_measurement_);
  for (std::size_t n = 0; n < machines_.size(); n++) {
    State parameters;
    parameters.add(fmt::format("sampler/trajectory/{:03}", n), machines_[n]->parameters());
    StateField field = parameters.fields().front();
    field.restored = [machine = machines_[n].get()] { machine->parameters_changed(); };
    state.add_field(std::move(field));
  }
}

namespace {

void copies_fit(Fit const& fit) {
  Index const rungs = fit.own.as<TrajectoryTemperingOptions>().rungs;
  if (fit.deck.task == "train" && rungs < 2) fit.refuse("rungs", "sampler.rungs = 1 keeps only the start of the training; use more");
  if (fit.model && fit.loaded->earlier_parameters)
    fit.attempt([&] { TrajectoryTempering::require_fit(*fit.loaded->earlier_parameters, rungs, fit.model->parameters().extent(0)); });
}

}  // namespace

SamplerEntry trajectory_tempering_sampler() {
  return {{trajectory_tempering_schema(),
           [](deck::Block const& b) {
             auto const options = b.as<TrajectoryTemperingOptions>();
             auto const ranks = Communicator::world();
             TrajectoryTempering::Load load;
             if (!options.trajectory.empty()) load = [from = options.trajectory, ranks] { return kept_parameters(from, ranks); };
             return std::make_unique<TrajectoryTempering>(options, b.as<LadderOptions>(), ranks, load);
           }},
          needs<Rbm>(),
          copies_fit};
}

}  // namespace partita
