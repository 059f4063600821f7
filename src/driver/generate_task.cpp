// task = "generate": samples from a model's own generator.
#include <algorithm>

#include "core/copy.hpp"
#include "core/log.hpp"
#include "driver/evaluation.hpp"
#include "driver/registry.hpp"
#include "driver/task.hpp"
#include "estimators/importance.hpp"
#include "io/samples.hpp"
#include "models/items.hpp"
#include "models/warm_start.hpp"

namespace partita {
namespace {

class GenerateTask : public Task {
 public:
  explicit GenerateTask(RunContext const& c) : context_(c), data_(c.loaded.data.get()), model_(make_model(c.deck.at("model"), c.key)) {
    warm_start(*model_, c.deck.at("model"), c.ranks, c.inputs);
    generator_ = make_generator(c, *model_, data_);
    samples_ = std::make_unique<SampleWriter>(c.directory, c.ranks, format(), c.provenance);
    log::info("{} samples of dimension {} in {} tiles of {}, {} steps", generator_->tiling().chains, model_->dimension(),
              generator_->tiling().tiles(), generator_->tiling().width, generator_->steps());
  }

  Index total() const override { return generator_->steps(); }
  double chain_steps_per_step() const override { return generator_->chain_steps_per_step(); }
  Index next_boundary(Index step) const override { return generator_->next_boundary(step); }

  void advance(Index step, Index steps) override {
    Timers::Scope const scope(context_.timers, "sampling");
    generator_->advance(step, steps);
  }
  void at_boundary(Index) override {}

  void describe_state(State& state) override {
    generator_->describe_state(state);
    samples_->describe_state(state);
  }
  void size_state(CheckpointFile const& from) override { samples_->size_state(from); }
  void verify() const override { samples_->verify(); }
  void restored(Index) override { samples_->remove_later_parts(); }
  void forked(Index) override { samples_->reset_draws(); }
  void flush(Index step) override { generator_->require_finite(step); }
  std::string progress() override { return ""; }

  Results finish() override {
    keep_samples();
    samples_->write_pending();
    Results out = Evaluation{context_, model_.get(), nullptr, data_}.of_run(generator_->tiling());
    out.put_first(generator_->results());
    if (auto const weights = weight_metrics(); !weights.empty()) {
      out.metrics.insert(out.metrics.begin(), weights.begin(), weights.end());
      if (looks_at_samples(context_.deck)) out.warnings.emplace_back(weights_left_out);
    }
    return out;
  }

 private:
  // A copy, which is gone when they are written.
  void keep_samples() {
    auto const values = generator_->samples();
    generator_->require_finite(total());
    samples_->append(total(), values, statistics(values.front()));
  }
  SampleFormat format() const {
    std::vector<SampleVariable> variables;
    for (auto const& v : generator_->variables()) variables.push_back({v.name, v.size});
    std::vector<SampleStatistic> statistics;
    if (has_energy()) statistics.push_back({"energy", StoredAs::real64, "E(x)"});
    for (auto const& v : generator_->statistics()) statistics.push_back({v.name, StoredAs::real64, v.definition});
    auto const shape = data_ ? data_->shape() : std::vector<Index>{};
    return {generator_->tiling(), generator_->mine(), variables, statistics, 1, shape.size() >= 2 ? shape : std::vector<Index>{}};
  }
  // Whether averages with the samples' importance weights, if there are any, can be trusted.
  std::vector<Metric> weight_metrics() const {
    auto const statistics = generator_->statistics();
    auto const at = std::find_if(statistics.begin(), statistics.end(), [](auto const& s) { return s.name == "log_weight"; });
    if (at == statistics.end()) return {};
    auto const values = values_on_host(generator_->statistic_values()[std::size_t(at - statistics.begin())]);
    std::vector<double> mine;
    for (Index t = 0; t < generator_->mine().count; t++)
      for (Index l = 0; l < generator_->tiling().chains_in(generator_->mine().first + t); l++) mine.push_back(values(t, l));
    LogMean const weights = log_mean_exp(context_.ranks.all_gather(mine));
    return {{"sample_ess_fraction", weights.effective / double(weights.count), {}, "(sum w)^2 / (N sum w^2) of the samples' weights"},
            {"sample_pareto_k",
             weights.tail_index,
             {},
             "tail index of the samples' weights; above 0.7 no average by them has a known error",
             doubt(weights,
                   "averages with log_weight cannot be trusted: train the flow further, or use generator.type = \"flow_metropolis\"")}};
  }
  bool has_energy() const { return if_can<EnergyModel>(model_.get()) != nullptr; }

  std::vector<TileScalarStorage> statistics(TileStorage const& x) const {
    auto out = generator_->statistic_values();
    if (!has_energy()) return out;
    Tiling const& tiling = generator_->tiling();
    TileScalarStorage const energy("energies of samples", x.extent(0), x.extent(2));
    for (Index tile = 0; tile < extent(x, 0); tile++) {
      auto const one = std::pair(tile, tile + 1), row = std::pair(Index{0}, tiling.lanes(generator_->mine().first + tile));
      as<EnergyModel>(*model_).energy(Kokkos::subview(x, one, Kokkos::ALL, row), Kokkos::subview(energy, one, row));
    }
    out.insert(out.begin(), energy);
    return out;
  }

  RunContext const& context_;
  data::Dataset const* data_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Generator> generator_;
  std::unique_ptr<SampleWriter> samples_;
};

}  // namespace

std::unique_ptr<Task> make_generate_task(RunContext const& c) { return std::make_unique<GenerateTask>(c); }

}  // namespace partita
