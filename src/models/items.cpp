#include "models/items.hpp"

#include <algorithm>

#include "core/require.hpp"
#include "models/capabilities.hpp"

namespace partita {
namespace {

UnitMoments moments(data::Dataset const& data) {
  auto const m = data.moments();
  return {m.mean, m.variance, data.size(data::Split::train)};
}

void require_levels(data::Dataset const& data, Index levels) {
  require_all(data.ratings() != nullptr, ExitCode::usage,
              "model.type = \"softmax_rbm\" is a model of ratings, but {} has none; use data.type = \"ratings\"", data.source());
  auto const there = std::ssize(data.ratings()->levels);
  require_all(there <= levels, ExitCode::usage, "the data have {} levels of ratings ({}), but the model has {}; set model.levels = {}",
              there, data.source(), levels, there);
}

using Outliers = data::Dataset::Outliers;
using Pair = std::vector<double>;

std::string advice(Outliers const& o, Pair const& units) {
  bool const zero_one = units == Pair{0, 1};
  if (o.lowest >= 0 && o.highest <= 1)
    return "values between 0 and 1 are probabilities: set data.binarize = \"stochastic\", which draws units anew each epoch, or "
           "\"threshold\"";
  if (zero_one && o.whole && o.lowest == -1 && o.highest == 1)
    return "for data of -1 and 1 set data.scaling = \"affine\", scale = 0.5 and offset = 0.5; for values between, also data.binarize";
  if (o.count * 100 < o.of) return "so few are probably mistakes in the data: correct or remove these rows";
  return "set data.scaling = \"unit\", and for values between the two, data.binarize = \"threshold\" or \"stochastic\"";
}

// How often each item is rated with each level, (item, level).
std::vector<double> level_counts(data::Dataset const& data, Index levels) {
  std::vector<double> codes(data.dimension()), counts(codes.size() * std::size_t(levels));
  for (Index n = 0; n < data.size(data::Split::train); n++) {
    data.values(data.item(data::Split::train, n), codes.data());
    for (std::size_t i = 0; i < codes.size(); i++)
      if (codes[i] > 0) counts[i * std::size_t(levels) + std::size_t(codes[i]) - 1]++;
  }
  return counts;
}

}  // namespace

std::vector<double> unit_values(Model const& model) {
  if (auto const* const network = if_can<DeepBeliefNetwork>(&model)) return network->machine(0).unit_values();
  auto const* const units = if_can<GibbsModel>(&model);
  return units ? units->unit_values() : Pair{};
}

void require_width(data::Dataset const& data, Model const& model) {
  require_all(data.dimension() == model.visible_dimension(), ExitCode::usage,
              "the data have {} numbers per item ({}), but the model takes {}; set the widths or visible units of [model] accordingly",
              data.dimension(), data.source(), model.visible_dimension());
}

void fit_to_units(data::Dataset& data, Model const& model) {
  if (data.dimension() != model.visible_dimension()) return;
  if (auto const* const of_ratings = if_can<SoftmaxRbm>(&model)) return require_levels(data, of_ratings->levels());
  Pair const units = unit_values(model);
  if (units.empty()) return;
  bool const signs = units == Pair{-1, 1};
  auto const found = data.outliers({0, 1});
  if (found && !(signs && !data.outliers(units)))
    fail(ExitCode::data,
         fmt::format("{} ({} of {} entries are neither 0 nor 1), but the visible units of this model are {} or 1; {}", found->first,
                     found->count, found->of, units.front(), advice(*found, units)),
         FailedOn::all_ranks);
  if (signs) data.use_sign_values();
}

void require_points_of_units(std::vector<float> const& points, Index first, Index dimension, std::string const& where, Model const& model) {
  Pair const units = unit_values(model);
  if (units.empty()) return;
  auto const wrong =
      std::find_if(points.begin(), points.end(), [&](float v) { return std::find(units.begin(), units.end(), double(v)) == units.end(); });
  if (wrong == points.end()) return;
  Index const at = wrong - points.begin();
  fail(ExitCode::data,
       fmt::format("{}: point {}, entry {} is {:.9g}, but the units of this model are {} or {}; give points with such values", where,
                   first + at / dimension, at % dimension, *wrong, units.front(), units.back()));
}

void take_reference(Model& model, data::Dataset const& data) {
  if (auto* const memory = if_can<AssociativeMemory>(&model); memory && memory->patterns() == 0) {
    require_all(data.dimension() == model.dimension(), ExitCode::usage,
                "items of [data] have dimension {}, but the model that is to store them has {}; set its dimension to {}", data.dimension(),
                model.dimension(), data.dimension());
    memory->remember(data.points(data::Split::train));
  }
  auto* const units = if_can<GibbsModel>(&model);
  if (units && data.dimension() == model.visible_dimension()) units->set_reference(moments(data));
}

void take_biases(Model& model, data::Dataset const& data) {
  auto* const machine = if_can<TrainableGibbsModel>(&model);
  if (machine && data.dimension() == model.visible_dimension()) machine->start_from(moments(data));
  if (auto* const ratings = if_can<SoftmaxRbm>(&model)) ratings->start_from_counts(level_counts(data, ratings->levels()));
  if (auto* const network = if_can<DeepBeliefNetwork>(&model)) {
    take_biases(network->machine(0), data);
    take_reference(network->machine(0), data);
  }
}

}  // namespace partita
