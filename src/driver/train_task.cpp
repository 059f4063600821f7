// task = "train": learns the parameters of a model, from data or from the target of its objective.
#include <cmath>

#include "core/copy.hpp"
#include "core/log.hpp"
#include "data/load.hpp"
#include "driver/evaluation.hpp"
#include "driver/layout.hpp"
#include "driver/registry.hpp"
#include "driver/task.hpp"
#include "estimators/distances.hpp"
#include "io/samples.hpp"
#include "models/items.hpp"
#include "models/warm_start.hpp"
#include "objectives/train_options.hpp"

namespace partita {
namespace {

class TrainTask : public Task {
 public:
  explicit TrainTask(RunContext const& c)
      : context_(c),
        options_(c.deck.at("train").as<TrainOptions>()),
        optimizer_options_(c.deck.at("optimizer").as<OptimizerOptions>()),
        output_(c.deck.at("output").as<OutputOptions>()),
        data_(c.loaded.data.get()),
        model_(make_model(c.deck.at("model"), c.key)) {
    if (data_) {
      batches_.emplace(*data_, options_.batch, c.key);
      take_biases(*model_, *data_);
      take_reference(*model_, *data_);
    }
    warm_start(*model_, c.deck.at("model"), c.ranks, c.inputs);
    if (auto const* block = c.deck.find("sampler"); block && block->given) sampler_ = make_sampler(*block);
    objective_ = make_objective(c, *model_, sampler_.get(), batches_ ? &*batches_ : nullptr);
    auto const n = extent(model_->parameters(), 0);
    phases_ = objective_->phases(options_.schedule_length(), n);
    for (Phase const& phase : phases_) optimizers_.push_back(make_optimizer(c.deck.at("optimizer"), phase.parameters));
    parameters_.emplace(Arrays(), n);
    copy_array(parameters_->average, model_->parameters());
    copy_array(parameters_->estimate, model_->parameters());
    history_ = std::make_unique<History>(c.directory, c.ranks, c.provenance);
    if (has_chains()) samples_ = std::make_unique<SampleWriter>(c.directory, c.ranks, format(), c.provenance);
    define_history();
    if (data_)
      log::info("{} training items, {} validation, {} test ({})", data_->size(data::Split::train), data_->size(data::Split::validation),
                data_->size(data::Split::test), data_->source());
    log::info("{} parameters; batch {}", n, options_.batch);
    if (has_chains())
      log::info("{} chains in {} tiles of {} for each batch", options_.batch * std::ssize(objective_->chains()), tiling().tiles(),
                tiling().width);
  }

  Index total() const override { return options_.updates; }
  double chain_steps_per_step() const override { return objective_->chain_steps_per_update(); }

  Index next_boundary(Index update) const override {
    Index next = std::min(options_.updates, next_multiple(update, history_interval_));
    if (keeps_snapshots()) next = std::min(next, next_multiple(update, output_.samples_every));
    if (validates()) next = std::min(next, next_multiple(update, options_.validate_every));
    return next;
  }

  void advance(Index first, Index updates) override {
    for (Index update = first; update < first + updates; update++) {
      Vector const gradient = objective_->gradient(update, context_.timers);
      Timers::Scope const scope(context_.timers, "optimizer");
      gradient_norm_ = norm(gradient);
      require_all(std::isfinite(gradient_norm_), ExitCode::numerical,
                  "the gradient is not finite at update {} ({}): the training diverged; use a smaller optimizer.learning_rate or "
                  "sampler.step_size, or more objective.sampler_steps",
                  update, progress());
      if (optimizer_options_.clip_norm > 0 && gradient_norm_ > optimizer_options_.clip_norm)
        scale(gradient, optimizer_options_.clip_norm / gradient_norm_);
      std::size_t const p = phase_of(update);
      Phase const& phase = phases_[p];
      rate_ = std::ldexp(scheduled_rate(optimizer_options_, update - phase.first_update, phase.updates), -int(rollbacks_));
      Vector const learnt =
          Kokkos::subview(model_->parameters(), std::pair(phase.first_parameter, phase.first_parameter + phase.parameters));
      optimizers_[p]->update(learnt, gradient, rate_);
      model_->parameters_changed();
      if (options_.average_decay > 0) average(parameters_->average, model_->parameters(), options_.average_decay, update);
      else copy_array(parameters_->average, model_->parameters());
    }
  }

  void at_boundary(Index update) override {
    if (update > 0 && (update % history_interval_ == 0 || update == options_.updates)) record(update);
    if (validates() && update > 0 && update % options_.validate_every == 0) validate(update);
    if (keeps_snapshots() && update > 0 && update < options_.updates && update % output_.samples_every == 0)
      keep_snapshot(update, objective_->chains().front());
  }

  void describe_state(State& state) override {
    state.add("model/parameters", model_->parameters());
    state.add("average/parameters", parameters_->average);
    state.add("estimate/parameters", parameters_->estimate);
    state.add_scalar("estimate/validation_distance", best_distance_);
    state.add_scalar("history/interval", history_interval_);
    state.add_scalar("train/rollbacks", rollbacks_);
    describe_optimizers(state);
    objective_->describe_state(state);
    if (samples_) samples_->describe_state(state);
  }

  void size_state(CheckpointFile const& from) override {
    if (samples_) samples_->size_state(from);
  }
  void verify() const override {
    if (samples_) samples_->verify();
  }
  void restored(Index update) override {
    take_parameters();
    if (samples_) samples_->remove_later_parts();
    if (update > 0) history_->restore(last_row(update));
  }
  void forked(Index) override {
    take_parameters();
    if (samples_) samples_->reset_draws();
  }

  void flush(Index update) override {
    objective_->require_finite(update);
    require_sane(update);
    if (!validates()) copy_array(parameters_->estimate, parameters_->average);
    history_->flush();
    if (samples_) samples_->show();
  }

  std::string progress() override {
    std::string out;
    for (std::size_t i = 0; i < reported_.size(); i++)
      if (series_[i].in_progress) out += fmt::format("{} {:.3g}  ", series_[i].name, reported_[i]);
    return out + fmt::format("rate {:.2g}", rate_);
  }

  Index most_rollbacks() const override { return options_.on_divergence == "rollback" ? options_.rollbacks : 0; }
  Index rollbacks() const override { return rollbacks_; }
  void set_rollbacks(Index times) override { rollbacks_ = times; }

  void show_draws() override {
    if (samples_) samples_->write_pending();
  }
  // The chains continue with the parameters for samples and estimates, for as many steps as the estimators need, and are kept as draws.
  Results finish() override {
    // The validation at the end is not part of the state: a longer run does not make it, and continues from the checkpoint before it.
    if (validates() && options_.updates % options_.validate_every != 0) validate(options_.updates);
    if (!validates()) copy_array(parameters_->estimate, parameters_->average);
    copy_array(model_->parameters(), parameters_->estimate);
    model_->parameters_changed();
    Evaluation const evaluation{context_, model_.get(), sampler_.get(), data_};
    if (!has_chains()) {
      history_->flush();
      return with_warnings(evaluation.of_run({}));
    }
    objective_->settle(options_.updates, final_steps(context_.deck));
    for (Chains const& chains : objective_->chains()) keep_snapshot(options_.updates, chains);
    objective_->require_finite(options_.updates);
    samples_->write_pending();
    history_->flush();
    return with_warnings(evaluation.of_run(tiling(), std::ssize(objective_->chains())));
  }

 private:
  void take_parameters() {
    model_->parameters_changed();
    sane_norm_ = norm(model_->parameters());
  }

  // Finite parameters may have diverged as well, when a few updates have made them a thousand times as long.
  void require_sane(Index update) {
    constexpr double most_growth = 1000;
    double const now = norm(model_->parameters()),
                 bound = most_growth * std::max(sane_norm_, std::sqrt(double(model_->parameters().extent(0))));
    require_all(now <= bound, ExitCode::numerical,
                "the norm of the parameters grew to {:.3g} at update {}, from {:.3g} at the last checkpoint: the training diverged; use a "
                "smaller optimizer.learning_rate",
                now, update, sane_norm_);
    objective_->require_sane(update);
    sane_norm_ = now;
  }

  // The row at the end of a shorter run is not a row of the longer run that continues it.
  Index last_row(Index update) const { return update % history_interval_ == 0 || update == options_.updates ? update : update - 1; }
  static Index next_multiple(Index step, Index of) { return (step / of + 1) * of; }
  bool keeps_snapshots() const { return output_.samples_every > 0 && has_chains(); }
  bool has_chains() const { return !objective_->chains().empty(); }
  bool validates() const { return options_.keep_best == "validation"; }
  Tiling const& tiling() const { return objective_->chains().front().tiling; }

  SampleFormat format() const {
    Share const share{tiling(), context_.ranks.rank(), context_.ranks.ranks()};
    SampleFormat format = chains_format(output_, share, model_->dimension(), training_statistics());
    if (data_ && data_->shape().size() >= 2) format.image_shape = data_->shape();  // of the visible units, which come first
    return format;
  }

  // Puts warnings from the history before those of the estimators; only the root has the history, and it prints the verdict.
  Results with_warnings(Results results) const {
    std::vector<std::vector<double>> reports;
    for (std::size_t row = 0; row < history_->steps().size(); row++) {
      std::vector<double> report;
      for (Series const& s : series_) report.push_back(history_->series(s.name)[row]);
      if (!std::isnan(report.front())) reports.push_back(std::move(report));  // rows with only a validation have no report
    }
    auto found = objective_->warnings(reports);
    if (rollbacks_ > 0)
      found.push_back(
          fmt::format("the training diverged {} time{} and went back to a checkpoint, finally with 1/{} of its learning rate; start "
                      "with a smaller optimizer.learning_rate",
                      rollbacks_, rollbacks_ > 1 ? "s" : "", Index{1} << rollbacks_));
    results.warnings.insert(results.warnings.begin(), found.begin(), found.end());
    return results;
  }

  std::size_t phase_of(Index update) const {
    std::size_t p = 0;
    while (p + 1 < phases_.size() && update >= phases_[p + 1].first_update) p++;
    return p;
  }

  void describe_optimizers(State& state) const {
    if (optimizers_.size() == 1) return optimizers_.front()->describe_state(state);
    for (std::size_t p = 0; p < optimizers_.size(); p++) {
      State of_phase;
      optimizers_[p]->describe_state(of_phase);
      state.add_group(fmt::format("phase{}", p), of_phase);
    }
  }

  void define_history() {
    series_ = objective_->series();
    for (Series const& s : series_) history_->define(s.name, s.definition, SeriesKind::result, s.former_name);
    history_->define("gradient_norm", "length of the parameter gradient before clipping, at this update");
    history_->define("learning_rate", "learning rate of this update");
    if (most_rollbacks() > 0)
      history_->define("rollbacks", "divergences before this update after which the training went back to a checkpoint");
    history_->define("epoch", "passes over the training items before this update");
  }

  void record(Index update) {
    Timers::Scope const scope(context_.timers, "statistics");
    reported_ = objective_->report(update);
    std::vector<std::pair<std::string, double>> row;
    for (std::size_t i = 0; i < series_.size(); i++) row.emplace_back(series_[i].name, reported_[i]);
    row.insert(row.end(), {{"gradient_norm", gradient_norm_}, {"learning_rate", rate_}, {"epoch", objective_->epoch(update)}});
    if (most_rollbacks() > 0) row.emplace_back("rollbacks", double(rollbacks_));
    history_->record(update, row);
  }

  void validate(Index update) {
    Timers::Scope const scope(context_.timers, "validation");
    double const distance = validation_distance(context_.ranks, objective_->chains(), *data_, options_.validation_points);
    history_->record(update, {{"validation_distance", distance}});
    if (!(distance < best_distance_)) return;
    best_distance_ = distance;
    copy_array(parameters_->estimate, parameters_->average);
  }

  void keep_snapshot(Index update, Chains const& chains) {
    Timers::Scope const scope(context_.timers, "samples");
    TileScalarStorage const energy("snapshot energy", chains.mine.count, chains.tiling.pitch());
    auto const& model = as<EnergyModel>(*model_);
    for (Index tile = 0; tile < chains.mine.count; tile++) {
      Index const lanes = chains.tiling.lanes(chains.mine.first + tile);
      model.energy(chains.tiles(tile, 1, lanes), Kokkos::subview(energy, std::pair(tile, tile + 1), std::pair(Index{0}, lanes)));
    }
    samples_->append(update, {chains.x}, {energy});
  }

  RunContext const& context_;
  TrainOptions options_;
  OptimizerOptions optimizer_options_;
  OutputOptions output_;
  data::Dataset const* data_;             // null where the objective needs none and the deck has none
  std::optional<data::Batches> batches_;  // of data_
  std::unique_ptr<Model> model_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<Objective> objective_;
  std::vector<Phase> phases_;
  std::vector<std::unique_ptr<Optimizer>> optimizers_;  // of each phase
  std::optional<TrainingParameters> parameters_;
  std::unique_ptr<History> history_;
  std::unique_ptr<SampleWriter> samples_;
  std::vector<Series> series_;
  std::vector<double> reported_;  // the values of series_ in the last row
  // Part of the state, since the default would differ for a lengthened run.
  Index history_interval_ = output_.history_every > 0 ? output_.history_every : std::max<Index>(1, options_.updates / 500);
  Index rollbacks_ = 0;   // each has halved the learning rate
  double sane_norm_ = 0;  // norm of the parameters at the last checkpoint
  double gradient_norm_ = 0, rate_ = 0;
  double best_distance_ = std::numeric_limits<double>::max();
};

}  // namespace

std::unique_ptr<Task> make_train_task(RunContext const& c) { return std::make_unique<TrainTask>(c); }

}  // namespace partita
