#include "driver/units.hpp"

#include "core/require.hpp"
#include "models/associative_memory.hpp"
#include "models/deep_belief_network.hpp"
#include "models/softmax_rbm.hpp"

namespace partita {
namespace {

UnitMoments moments(data::Dataset const& data) {
  auto const m = data.moments();
  return {m.mean, m.variance, data.size(data::Split::train)};
}

// How often each item is rated with each level, (item, level).
std::vector<double> level_counts(data::Dataset const& data, Index levels) {
  require_all(data.ratings() != nullptr, ExitCode::usage,
              "model.type = \"softmax_rbm\" learns from ratings, and {} has none; use data.type = \"ratings\"", data.source());
  auto const there = static_cast<Index>(data.ratings()->levels.size());
  require_all(there <= levels, ExitCode::usage, "the data have {} levels of ratings ({}) and the model {}; set model.levels = {}", there,
              data.source(), levels, there);
  std::vector<double> codes(static_cast<std::size_t>(data.dimension())), counts(codes.size() * static_cast<std::size_t>(levels));
  for (Index n = 0; n < data.size(data::Split::train); n++) {
    data.values(data.item(data::Split::train, n), codes.data());
    for (std::size_t i = 0; i < codes.size(); i++)
      if (codes[i] > 0) counts[i * static_cast<std::size_t>(levels) + static_cast<std::size_t>(codes[i]) - 1]++;
  }
  return counts;
}

}  // namespace

void take_reference(Model& model, data::Dataset const& data) {
  if (auto* const memory = dynamic_cast<AssociativeMemory*>(&model); memory && memory->patterns() == 0) {
    require_all(data.dimension() == model.dimension(), ExitCode::usage,
                "items of [data] have dimension {}, and the model that is to remember them {}; set that to {}", data.dimension(),
                model.dimension(), data.dimension());
    memory->remember(data.points(data::Split::train));
  }
  auto* const units = dynamic_cast<GibbsModel*>(&model);
  if (units && data.dimension() == model.visible_dimension()) units->set_reference(moments(data));
}

void take_biases(Model& model, data::Dataset const& data) {
  auto* const machine = dynamic_cast<BoltzmannModel*>(&model);
  if (machine && data.dimension() == model.visible_dimension()) machine->start_from(moments(data));
  if (auto* const ratings = dynamic_cast<SoftmaxRbm*>(&model)) ratings->start_from_counts(level_counts(data, ratings->levels()));
  if (auto* const network = dynamic_cast<DeepBeliefNetwork*>(&model)) {
    take_biases(network->machine(0), data);
    take_reference(network->machine(0), data);
  }
}

}  // namespace partita
