// task = "sample": chains of a model, draws into sample parts.
#include <cmath>

#include "comm/tile_sums.hpp"
#include "core/copy.hpp"
#include "core/log.hpp"
#include "driver/evaluation.hpp"
#include "driver/layout.hpp"
#include "driver/registry.hpp"
#include "io/collective_file.hpp"
#include "models/hee_joint.hpp"
#include "models/items.hpp"
#include "models/warm_start.hpp"
#include "samplers/chain_options.hpp"
#include "samplers/clamp.hpp"
#include "samplers/finite_chains.hpp"
#include "samplers/rejection_runs.hpp"
#include "samplers/start_chains.hpp"

namespace partita {
namespace {

constexpr Index adaptation_interval = 20;  // steps between two adaptations of the step size during the warm-up
constexpr Index still_proposals = 100;     // a chain that rejects so many in a row in the warm-up has too long a step where it is
constexpr Index rejection_window = 100;    // steps per window in which rejections are counted after the warm-up, for any `thin`

double sum_of_energies(TileScalars energy, Index chains) {
  double sum = 0;
  Kokkos::parallel_reduce(
      "partita::sum_energies", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, chains),
      KOKKOS_LAMBDA(Index l, double& s) { s += double(energy(0, l)); }, sum);
  return sum;
}

// Of `proposals` since the last reset, the share that was accepted, 1 for a sampler that makes none; and 1 where some diverged, otherwise 0.
void count_proposals(Chains const& chains, Index proposals, TileScalarStorage rate, TileScalarStorage flags) {
  auto const accepted = chains.accepted, diverging = chains.diverging;
  Real const each = proposals > 0 ? Real(1) / Real(proposals) : Real(0);
  Kokkos::parallel_for(
      "partita::acceptance_rate",
      Kokkos::MDRangePolicy<Execution, Kokkos::Rank<2>>({0, 0}, {std::int64_t(rate.extent(0)), std::int64_t(rate.extent(1))}),
      KOKKOS_LAMBDA(std::int64_t t, std::int64_t l) {
        rate(t, l) = each > 0 ? each * Real(accepted(t, l)) : Real(1);
        flags(t, l) = diverging(t, l) > 0 ? Real(1) : Real(0);
      });
}

class SampleTask : public Task {
 public:
  explicit SampleTask(RunContext const& c)
      : context_(c),
        options_(c.deck.at("sampler").as<ChainOptions>()),
        output_(c.deck.at("output").as<OutputOptions>()),
        data_(c.loaded.data.get()),
        model_(make_model(c.deck.at("model"), c.key)),
        energy_model_(if_can<EnergyModel>(model_.get())),
        sampler_(make_sampler(c.deck.at("sampler"))),
        tiling_(sampling_tiling(options_, *model_, *sampler_)),
        mine_(share_of_tiles(tiling_.tiles(), c.ranks.rank(), c.ranks.ranks())),
        chains_("chains", tiling_, mine_, model_->dimension()),
        scalars_({}, share()),
        rejections_(tiling_, mine_),
        history_(c.directory, c.ranks, c.provenance),
        samples_(c.directory, c.ranks, format(), c.provenance) {
    warm_start(*model_, c.deck.at("model"), c.ranks, c.inputs);
    if (data_) take_reference(*model_, *data_);
    if (tiling_.tiles() < c.ranks.ranks())
      log::warning("{} tiles of {} chains for {} ranks: some ranks have no work; use fewer ranks or a smaller sampler.tile_width",
                   tiling_.tiles(), tiling_.width, c.ranks.ranks());
    model_->reserve(tiles_in_flight(mine_.count), tiling_.width);
    warn_of_unused_start();
    auto const start = [this](Chains const& chains, random::Key key) {
      start_chains(*model_, chains, {.key = key, .stream = random::Stream::initial_state}, options_.distribution());
    };
    start(chains_, c.key);
    if (auto const* block = c.deck.find("clamp"); block && block->given) clamp(chains_, *model_, data_, block->as<ClampOptions>());
    sampler_->start_rungs_by(start);
    sampler_->prepare(*model_, chains_, c.key);
    if (energy_model_) history_.define("energy", "mean of E(x) over all chains at this step");
    history_.define("acceptance", "share of proposals accepted since the last adaptation or draw");
    history_.define("step_size", "step size of the sampler");
    log::info("{} chains of dimension {} in {} tiles of {}, {} steps ({} draws)", tiling_.chains, model_->dimension(), tiling_.tiles(),
              tiling_.width, options_.steps, draws());
  }

  Index total() const override { return options_.steps; }
  double chain_steps_per_step() const override { return double(tiling_.chains); }

  Index next_boundary(Index step) const override {
    Index next = std::min(options_.steps, next_multiple(step, history_interval_));
    if (step < options_.warmup)
      next = std::min({next, options_.warmup, sampler_->adapts() ? next_multiple(step, adaptation_interval) : next});
    else {
      next = std::min(next, options_.warmup + next_multiple(step - options_.warmup, options_.thin));
      if (sampler_->adjusted()) next = std::min(next, options_.warmup + next_multiple(step - options_.warmup, rejection_window));
    }
    return next;
  }

  void advance(Index step, Index steps) override {
    Timers::Scope const scope(context_.timers, "sampling");
    sampler_->advance(*model_, chains_, context_.key, step, steps);
    since_reset_ += steps;
  }

  void at_boundary(Index step) override {
    bool const draw = step > options_.warmup && (step - options_.warmup) % options_.thin == 0;
    bool const row = step % history_interval_ == 0 || step == options_.steps;
    if (ends_rejection_window(step)) {
      end_rejection_window();
      if (!draw && !row) return;
    }
    handle_nonfinite_chains(step);
    if (energy_model_ && (draw || row)) {
      evaluate_energies();
      if (!std::isfinite(last_energy_)) {  // energies overflow before positions do
        handle_nonfinite_chains(step, scalars_.energy);
        evaluate_energies();
      }
    }
    if (row) record(step);
    if (step <= options_.warmup && step > 0 && step % adaptation_interval == 0 && sampler_->adapts()) {
      double const accepted = acceptance();
      reset_counts();
      rejections_.end_window();
      // A chain far out, where the step is too long, must get away from there before the step adapts to the other chains.
      sampler_->adapt(sampler_->adjusted() && rejections_.still(context_.ranks, still_proposals) > 0 ? 0 : accepted);
      sampler_->adapt_to(*model_, chains_, context_.ranks);
    }
    if (step == options_.warmup) {
      reset_counts();
      rejections_.forget();
    }
    if (draw) keep_draw(step);
  }

  void describe_state(State& state) override {
    chains_.describe_state(state, "chains");
    sampler_->describe_state(state);
    state.add_scalar("chains/steps_since_reset", since_reset_);
    state.add_scalar("history/interval", history_interval_);
    if (reinitializes()) state.add_scalar("chains/reinitialized", reinitialized_);
    if (sampler_->adjusted()) rejections_.describe_state(state);
    samples_.describe_state(state);
  }

  // Chains are restarted at steps that the deck fixes, even if a checkpoint is written before.
  std::vector<std::string> may_be_nonfinite() const override {
    return reinitializes() ? std::vector<std::string>{"chains/"} : std::vector<std::string>{};
  }
  void verify() const override { samples_.verify(); }
  void size_state(CheckpointFile const& from) override { samples_.size_state(from); }
  void restored(Index step) override {
    samples_.remove_later_parts();
    // The row at the end of a shorter run is not a row of the longer run that continues it.
    if (step > 0) history_.restore(step % history_interval_ == 0 || step == options_.steps ? step : step - 1);
  }
  void forked(Index) override { samples_.reset_draws(); }

  void flush(Index step) override {
    if (!reinitializes()) require_finite_chains(context_.ranks, {chains_}, step, last_finite_energy_);
    history_.flush();
    samples_.show();
  }

  std::string progress() override {
    std::string out;
    if (energy_model_) out += fmt::format("energy {:.5g}  ", last_energy_);
    if (sampler_->adjusted()) out += fmt::format("acceptance {:.3f}", last_acceptance_);
    return out;
  }

  void show_draws() override { samples_.write_pending(); }
  Results finish() override {
    samples_.write_pending();
    history_.flush();
    Evaluation const evaluation{context_, model_.get(), sampler_.get(), data_};
    Results out = evaluation.of_run(tiling_);
    out.put_first(sampler_->results());
    if (reinitialized_ > 0)
      out.warnings.push_back(
          fmt::format("{} times a chain was no longer finite and was restarted (sampler.on_nonfinite): averages lack what it would have "
                      "visited, and contain the time after its start; use a smaller sampler.step_size",
                      reinitialized_));
    if (auto const* noise = context_.deck.at("sampler").find("noise_scale"); noise && noise->value != deck::Value(1.))
      out.warnings.push_back(
          "sampler.noise_scale is not 1: the chains do not sample exp(-E / temperature), and averages are not averages over it");
    for (std::string& w : warnings_of_rejections()) out.warnings.push_back(std::move(w));
    if (auto const warning = warning_of_large_energies(); !warning.empty()) out.warnings.push_back(warning);
    return out;
  }

 private:
  static Index next_multiple(Index step, Index of) { return (step / of + 1) * of; }
  Share share() const { return {tiling_, context_.ranks.rank(), context_.ranks.ranks()}; }
  void warn_of_unused_start() const {
    ChainOptions const usual;
    bool const asked = options_.initial != usual.initial || options_.initial_scale != usual.initial_scale ||
                       options_.initial_centre != usual.initial_centre;
    if (asked && if_can<GibbsModel>(model_.get()))
      log::warning("sampler.initial, initial_scale and initial_centre are not used: chains of units start from independent units");
  }
  bool ends_rejection_window(Index step) const {
    return sampler_->adjusted() && step > options_.warmup && (step - options_.warmup) % rejection_window == 0;
  }
  Index draws() const { return std::max<Index>(0, (options_.steps - options_.warmup) / options_.thin); }

  SampleFormat format() const {
    SampleFormat format = chains_format(output_, share(), model_->dimension(), sampling_statistics(energy_model_ != nullptr));
    bool const images = data_ && data_->shape().size() >= 2 && data_->dimension() == model_->visible_dimension();
    if (images) format.image_shape = data_->shape();
    return format;
  }

  void evaluate_energies() {
    Timers::Scope const scope(context_.timers, "energies");
    std::vector<double> sums(mine_.count);
    for (Index tile = 0; tile < mine_.count; tile++) {
      Index const lanes = tiling_.lanes(mine_.first + tile), real = tiling_.chains_in(mine_.first + tile);
      auto const row = std::pair(Index{0}, lanes);
      TileScalars const energy = Kokkos::subview(scalars_.energy, std::pair(tile, tile + 1), row);
      energy_model_->energy(chains_.tiles(tile, 1, lanes), energy);
      sums[tile] = sum_of_energies(energy, real);
    }
    last_energy_ = sum_over_tiles(context_.ranks, mine_, tiling_.tiles(), sums, 1)[0] / double(tiling_.chains);
    if (std::isfinite(last_energy_)) last_finite_energy_ = last_energy_;
  }

  // Over all chains since the last reset; collective, exact.
  double acceptance() {
    if (!sampler_->adjusted()) return 1;
    if (since_reset_ == 0) return last_acceptance_;
    Index const all = context_.ranks.all_reduce(count_acceptance(chains_), Reduction::sum);
    return last_acceptance_ = double(all) / (double(tiling_.chains) * double(since_reset_));
  }

  void reset_counts() {
    if (sampler_->adjusted()) rejections_.look(chains_, since_reset_);
    fill_array(chains_.accepted, 0);
    fill_array(chains_.diverging, 0);
    if (sampler_->adjusted()) rejections_.counts_cleared();
    since_reset_ = 0;
  }

  void record(Index step) {
    std::vector<std::pair<std::string, double>> row{{"acceptance", acceptance()}, {"step_size", sampler_->step_size()}};
    if (energy_model_) row.emplace_back("energy", last_energy_);
    history_.record(step, row);
  }

  void keep_draw(Index step) {
    Timers::Scope const scope(context_.timers, "samples");
    count_proposals(chains_, sampler_->adjusted() ? std::max<Index>(since_reset_, 1) : 0, scalars_.acceptance, scalars_.diverging);
    std::vector<TileScalarStorage> statistics{scalars_.acceptance, scalars_.diverging};
    if (energy_model_) statistics.insert(statistics.begin(), scalars_.energy);
    samples_.append(step, {chains_.x}, statistics);
    reset_counts();
  }

  bool reinitializes() const { return options_.on_nonfinite == "reinitialize"; }
  // Called at fixed steps, so that the draws do not depend on when checkpoints are written.
  void handle_nonfinite_chains(Index step, TileScalarStorage const& energy = {}) {
    if (!reinitializes()) {
      require_finite_chains(context_.ranks, {chains_}, step, last_finite_energy_);
      require_all(
          energy.size() == 0, ExitCode::numerical,
          "the energy of a chain is not finite at step {} (last finite mean energy {:.6g}): the step size is too large for this energy, or "
          "the energy is unbounded below; use a smaller sampler.step_size",
          step, last_finite_energy_);
      return;
    }
    Index const now = restart_nonfinite_chains(context_.ranks, chains_, context_.key, step, options_.distribution(), energy);
    if (now == 0) return;
    reinitialized_ += now;
    log::warning("{} chain{} not finite at step {} and restarted (last finite mean energy {:.6g})", now, now > 1 ? "s were" : " was", step,
                 last_finite_energy_);
  }

  void end_rejection_window() {
    rejections_.look(chains_, since_reset_);
    rejections_.end_window();
  }

  std::vector<std::string> warnings_of_rejections() {
    if (!sampler_->adjusted() || draws() == 0) return {};
    end_rejection_window();  // the last window may be shorter
    auto const found = rejections_.find(context_.ranks);
    std::vector<std::string> out;
    if (found.stuck > 0)
      out.push_back(fmt::format(
          "{} of {} chains rejected at least {} proposals in a row (acceptance {:.3g}): they were stuck, and "
          "every average over chains is biased; {}",
          found.stuck, tiling_.chains, found.length, found.acceptance,
          sampler_->adapts() ? "take a longer sampler.warmup, or start nearer to the bulk (sampler.initial_scale, initial_centre)"
                             : "let the warm-up adapt the step (sampler.target_acceptance above 0), or use a smaller "
                               "sampler.step_size, or start nearer to the bulk (sampler.initial_scale, initial_centre)"));
    if (found.diverging > 0)
      out.push_back(
          fmt::format("{} of {} chains had proposals with a huge or non-finite energy error after the warm-up (diverging in "
                      "sample_stats): there is a region where the step is too long, and averages may lack it; raise "
                      "sampler.target_acceptance or use a smaller sampler.step_size",
                      found.diverging, tiling_.chains));
    return out;
  }

  // An error of a twentieth in the exponent of acceptance tests and swaps biases the samples.
  std::string warning_of_large_energies() const {
    constexpr double rounding = 0x1p-24, bound = 0.05;
    bool const exact = energy_model_ && energy_model_->sums_in_double() && !(sampler_->rungs() > 1 && if_can<GibbsModel>(model_.get()));
    if (!energy_model_ || exact || sizeof(Real) > sizeof(float) || !sampler_->compares_energies() ||
        !(std::abs(last_energy_) * rounding > bound))
      return {};
    return fmt::format(
        "energies are near {:.3g}, where single precision has an error of {:.2g}: rounding decides what is accepted or swapped, and "
        "samples are biased; build in double precision (cmake --preset double), or, where the energy has a constant to choose, keep it "
        "below {:.1g}",
        last_energy_, std::abs(last_energy_) * rounding, bound / rounding);
  }

  RunContext const& context_;
  ChainOptions options_;
  OutputOptions output_;
  data::Dataset const* data_;  // null where the deck has none
  std::unique_ptr<Model> model_;
  EnergyModel* energy_model_;  // the same model; null where it is a score without an energy
  std::unique_ptr<Sampler> sampler_;
  Tiling tiling_;
  TileRange mine_;
  Chains chains_;
  SamplingScalars scalars_;
  RejectionRuns rejections_;  // since the warm-up, before the counts that chains_ holds
  History history_;
  SampleWriter samples_;
  // Part of the state, since the default would differ for a lengthened run.
  Index history_interval_ = output_.history_every > 0 ? output_.history_every : std::max<Index>(1, options_.steps / 500);
  Index reinitialized_ = 0;
  double last_finite_energy_ = std::numeric_limits<double>::quiet_NaN();
  double last_energy_ = 0, last_acceptance_ = std::numeric_limits<double>::quiet_NaN();
  Index since_reset_ = 0;
};

}  // namespace

std::unique_ptr<Task> make_sample_task(RunContext const& c) { return std::make_unique<SampleTask>(c); }

}  // namespace partita
