// task = "train": parameters of a model from data.
#include <cmath>

#include "core/log.hpp"
#include "data/load.hpp"
#include "driver/evaluation.hpp"
#include "driver/nonfinite.hpp"
#include "driver/registry.hpp"
#include "driver/task.hpp"
#include "driver/warm_start.hpp"
#include "io/samples.hpp"
#include "objectives/contrastive_divergence.hpp"

namespace partita {
namespace {

std::unique_ptr<TrainableModel> trainable(deck::Block const& block, random::Key key) {
  auto model = make_model(block, key);
  auto* const learns = dynamic_cast<TrainableModel*>(model.get());
  std::string fitting;
  for (auto const& m : models()) fitting += m.schema.type == "mlp" ? "mlp" : "";
  require_all(learns != nullptr, ExitCode::usage, "model.type = \"{}\" has no parameters to train; train a model of type {}", block.type, fitting);
  model.release();
  return std::unique_ptr<TrainableModel>(learns);
}

class TrainTask : public Task {
 public:
  explicit TrainTask(RunContext const& c)
      : context_(c), options_(c.deck.at("train").as<TrainOptions>()), optimizer_options_(c.deck.at("optimizer").as<OptimizerOptions>()),
        output_(c.deck.at("output").as<OutputOptions>()), data_(data::load(c.deck.at("data"), c.key, c.ranks)), batches_(data_, options_.batch, c.key),
        model_(trainable(c.deck.at("model"), c.key)), sampler_(make_sampler(c.deck.at("sampler"))) {
    auto const chain_options = c.deck.at("sampler").as<ChainOptions>();
    require_all(data_.dimension() == model_->dimension(), ExitCode::usage, "the data have {} numbers an item ({}) and the model takes {}; set model.layers accordingly", data_.dimension(),
                data_.source(), model_->dimension());
    require_all(!sampler_->keeps_velocity(), ExitCode::usage, "sampler.type = \"{}\" keeps velocities, which chains that restart have not; use ula, leimkuhler_matthews, mala or hmc",
                c.deck.at("sampler").type);
    auto const& objective = c.deck.at("objective");
    auto const contrastive = objective.as<ContrastiveOptions>();
    warm_start(*model_, c.deck.at("model"), c.ranks);
    Index const width = chain_options.width(options_.batch, model_->dimension(), 4);
    objective_ = std::make_unique<ContrastiveDivergence>(*model_, *sampler_, batches_, c.ranks, c.options.reproducible ? Summation::reproducible : Summation::fast, c.key, width,
                                                         objective.type == "persistent_cd" ? ChainStart::persistent : ChainStart::at_data, contrastive,
                                                         objective.as<PersistentOptions>(), chain_options.distribution());
    Index const n = static_cast<Index>(model_->parameters().extent(0));
    random::check_budget(options_.batch * static_cast<Index>(objective_->chains().size()) * 2, options_.updates * contrastive.sampler_steps, divide_up(model_->dimension(), 4));
    optimizer_ = make_optimizer(c.deck.at("optimizer"), n);
    average_ = Vector("averaged parameters", n);
    estimate_ = Vector("parameters of samples and estimates", n);
    Kokkos::deep_copy(average_, model_->parameters());
    Kokkos::deep_copy(estimate_, model_->parameters());
    history_ = std::make_unique<History>(c.directory, c.ranks, c.provenance);
    samples_ = std::make_unique<SampleWriter>(c.directory, c.ranks, format(), c.provenance);
    define_history();
    log::info("{} training items, {} validation, {} test ({}); {} parameters; batch {} in {} tiles of {}; {} chains", data_.size(data::Split::train), data_.size(data::Split::validation),
              data_.size(data::Split::test), data_.source(), n, options_.batch, tiling().tiles(), tiling().width, options_.batch * static_cast<Index>(objective_->chains().size()));
  }

  Index total() const override { return options_.updates; }
  double chain_steps_per_step() const override { return objective_->chain_steps_per_update(); }

  Index next_boundary(Index update) const override {
    Index next = std::min(options_.updates, next_multiple(update, history_interval()));
    if (output_.samples_every > 0) next = std::min(next, next_multiple(update, output_.samples_every));
    if (validates()) next = std::min(next, next_multiple(update, options_.validate_every));
    return next;
  }

  void advance(Index first, Index updates) override {
    for (Index update = first; update < first + updates; update++) {
      Vector const gradient = objective_->gradient(update, context_.timers);
      Timers::Scope const scope(context_.timers, "optimizer");
      gradient_norm_ = norm(gradient);
      require_all(std::isfinite(gradient_norm_), ExitCode::numerical,
                  "the gradient is not finite at update {} (last energy gap d_s = {:.4g}): the training diverged; use a smaller optimizer.learning_rate or sampler.step_size, or more "
                  "objective.sampler_steps, and continue from the last checkpoint",
                  update, health_.energy_gap);
      if (optimizer_options_.clip_norm > 0 && gradient_norm_ > optimizer_options_.clip_norm) scale(gradient, optimizer_options_.clip_norm / gradient_norm_);
      rate_ = scheduled_rate(optimizer_options_, update, options_.updates);
      optimizer_->update(model_->parameters(), gradient, rate_);
      model_->parameters_changed();
      if (options_.average > 0) average(average_, model_->parameters(), options_.average, update);
      else Kokkos::deep_copy(average_, model_->parameters());
    }
  }

  void at_boundary(Index update) override {
    if (update > 0 && (update % history_interval() == 0 || update == options_.updates)) record(update);
    if (validates() && update > 0 && (update % options_.validate_every == 0 || update == options_.updates)) validate(update);
    if (output_.samples_every > 0 && update > 0 && update < options_.updates && update % output_.samples_every == 0) keep_snapshot(update, objective_->chains().front());
  }

  void describe_state(State& state) override {
    state.add("model/parameters", model_->parameters());
    state.add("average/parameters", average_);
    state.add("estimate/parameters", estimate_);
    state.add_scalar("estimate/validation_distance", best_distance_);
    optimizer_->describe_state(state);
    objective_->describe_state(state);
    samples_->describe_state(state);
  }

  void restored(Index update) override {
    model_->parameters_changed();
    samples_->cut_back();
    if (update > 0) history_->restore(update);
  }

  void flush(Index update) override {
    require_finite_chains(context_.ranks, objective_->chains(), update, health_.energy_chains);
    if (!validates()) Kokkos::deep_copy(estimate_, average_);
    history_->flush();
  }

  std::string progress() override { return fmt::format("d_s {:.3g}  r_s {:.3g}  rate {:.2g}", health_.energy_gap, health_.gradient_step, rate_); }

  // The chains go on with the parameters of samples and estimates, each for as many steps as the estimators ask, and are kept as draws.
  std::vector<Metric> finish() override {
    if (!validates()) Kokkos::deep_copy(estimate_, average_);
    Kokkos::deep_copy(model_->parameters(), estimate_);
    model_->parameters_changed();
    Index const steps = final_steps(context_.deck);
    Index const first = options_.updates * context_.deck.at("objective").as<ContrastiveOptions>().sampler_steps;
    for (Chains chains : objective_->chains()) {
      sampler_->advance(*model_, chains, context_.key, first, steps);
      keep_snapshot(options_.updates, chains);
    }
    require_finite_chains(context_.ranks, objective_->chains(), options_.updates, health_.energy_chains);
    samples_->write_pending();
    history_->flush();
    Evaluation const evaluation{context_, model_.get(), sampler_.get(), &data_};
    return evaluation.of_run(tiling(), static_cast<Index>(objective_->chains().size()));
  }

 private:
  static Index next_multiple(Index step, Index of) { return (step / of + 1) * of; }
  bool validates() const { return options_.keep_best == "validation"; }
  Index history_interval() const { return output_.history_every > 0 ? output_.history_every : std::max<Index>(1, options_.updates / 500); }
  Tiling const& tiling() const { return objective_->chains().front().tiling; }

  SampleFormat format() const {
    std::vector<SampleVariable> const variables{{"x", model_->dimension()}};
    std::vector<SampleStatistic> const statistics{{"energy", StoredAs::real64, "E(x) with the parameters of the time"}};
    Index const per_part = output_.draws_per_part > 0 ? output_.draws_per_part : default_draws_per_part(tiling(), variables, statistics);
    auto const& shape = data_.shape();
    return {tiling(), objective_->chains().front().mine, variables, statistics, std::max<Index>(1, per_part), shape.size() >= 2 ? shape : std::vector<Index>{}};
  }

  void define_history() {
    history_->define("d_s", "mean E(data) - mean E(chains), averaged over the updates since the last row");
    history_->define("r_s", "mean length of the chains' gradient step eta |dE/dx| at this update");
    history_->define("energy_data", "mean E(data) over the updates since the last row");
    history_->define("energy_chains", "mean E(chains) over the updates since the last row");
    history_->define("gradient_norm", "length of the parameter gradient before clipping, at this update");
    history_->define("learning_rate", "of this update");
    history_->define("epoch", "passes over the training items");
  }

  void record(Index update) {
    Timers::Scope const scope(context_.timers, "statistics");
    health_ = objective_->health();
    require_finite_chains(context_.ranks, objective_->chains(), update, health_.energy_chains);
    require_all(std::abs(health_.energy_gap) <= options_.divergence_bound, ExitCode::numerical,
                "the energy gap d_s = {:.4g} passed train.divergence_bound = {:.4g} at update {}: data and chains run apart; use a smaller optimizer.learning_rate, more "
                "objective.sampler_steps or some objective.energy_penalty, and continue from the last checkpoint",
                health_.energy_gap, options_.divergence_bound, update);
    history_->record(update, {{"d_s", health_.energy_gap},
                              {"r_s", health_.gradient_step},
                              {"energy_data", health_.energy_data},
                              {"energy_chains", health_.energy_chains},
                              {"gradient_norm", gradient_norm_},
                              {"learning_rate", rate_},
                              {"epoch", batches_.epoch(update)}});
  }

  void validate(Index update) {
    Timers::Scope const scope(context_.timers, "validation");
    double const distance = validation_distance(context_.ranks, objective_->chains(), data_, options_.validation_points);
    history_->record(update, {{"validation_distance", distance}});
    if (distance >= best_distance_) return;
    best_distance_ = distance;
    Kokkos::deep_copy(estimate_, average_);
  }

  void keep_snapshot(Index update, Chains const& chains) {
    Timers::Scope const scope(context_.timers, "samples");
    TileScalarStorage const energy("snapshot energy", chains.mine.count, chains.tiling.pitch());
    for (Index tile = 0; tile < chains.mine.count; tile++) {
      Index const lanes = chains.tiling.lanes(chains.mine.first + tile);
      model_->jet_forward(chains.tiles(tile, 1, lanes), {}, 0, Kokkos::subview(energy, std::pair(tile, tile + 1), std::pair(Index{0}, lanes)), {}, {});
    }
    samples_->append(update, {chains.x}, {energy});
  }

  RunContext const& context_;
  TrainOptions options_;
  OptimizerOptions optimizer_options_;
  OutputOptions output_;
  data::Dataset data_;
  data::Batches batches_;
  std::unique_ptr<TrainableModel> model_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<ContrastiveDivergence> objective_;
  std::unique_ptr<Optimizer> optimizer_;
  Vector average_, estimate_;
  std::unique_ptr<History> history_;
  std::unique_ptr<SampleWriter> samples_;
  TrainingHealth health_;
  double gradient_norm_ = 0, rate_ = 0;
  double best_distance_ = std::numeric_limits<double>::max();
};

}  // namespace

std::unique_ptr<Task> make_train_task(RunContext const& c) { return std::make_unique<TrainTask>(c); }

}  // namespace partita
