#include "models/warm_start.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/copy.hpp"
#include "core/log.hpp"
#include "core/regular_file.hpp"
#include "data/table.hpp"
#include "io/hdf5.hpp"
#include "io/manifest.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

using Values = std::vector<Real>;

void require_finite(Values const& values, std::string const& where) {
  auto const bad = std::find_if(values.begin(), values.end(), [](Real v) { return !std::isfinite(v); });
  require(bad == values.end(), ExitCode::data, "{}: entry {} is {}; parameters must be finite in single precision", where,
          bad - values.begin(), bad == values.end() ? 0 : *bad);
}

// Gaussian visible units: the scaling of the weights follows from their name, and from the run's own deck, which its checkpoint contains.
void require_same_parametrisation(CheckpointFile const& file, Model const& model) {
  auto const blocks = model.parameter_blocks();
  std::string const prefix = "weight_";
  if (blocks.empty() || !blocks.front().name.starts_with(prefix)) return;
  std::string const key = fmt::format("parametrisation = \"{}\"", blocks.front().name.substr(prefix.size()));
  require(read_checkpoint_info(file).deck.find(key) != std::string::npos, ExitCode::data,
          "{}: its weights are scaled differently from those of model.{}; set that key as in the run that learnt them", file.path.string(),
          key);
}

Values of_checkpoint(CheckpointFile const& file, Model const& model, deck::Block const& block) {
  require(hdf5::File::open(file.path).has("estimate/parameters"), ExitCode::data,
          "{}: a checkpoint of a run that learns nothing; name in {}.from the run of task \"train\" that learnt its parameters",
          file.path.string(), block.section);
  FieldValues field = read_field(file, "estimate/parameters");
  auto const wanted = model.parameters().extent(0);
  require(field.values.size() == wanted, ExitCode::data,
          "{}: {} parameters, but the {} of this deck has {}; use the same [{}] as that run's [model]", file.path.string(),
          field.values.size(), block.type, wanted, block.section);
  require_same_parametrisation(file, model);
  require_finite(field.values, file.path.string() + ": estimate/parameters");
  return std::move(field.values);
}

// Names of parameter blocks in the literature.
std::map<std::string, std::string> const literature{{"weight", "W"}, {"visible_bias", "a"}, {"hidden_bias", "b"}};

Values of_arrays(Path const& path, Model const& model, deck::Block const& block) {
  auto const file = hdf5::File::open(path);
  Values all(model.parameters().extent(0));
  for (ParameterBlock const& b : model.parameter_blocks()) {
    auto const other = literature.find(b.name);
    std::string const name = file.has(b.name) || other == literature.end() ? b.name : other->second;
    require(file.has(name), ExitCode::data,
            "{}: no dataset \"{}\"{}, one of the parameters of a {} (nor is it a checkpoint: it has no manifest); name a run, a "
            "checkpoint, or a file with a dataset for each of them",
            path.string(), b.name, name == b.name ? "" : " or \"" + name + "\"", block.type);
    auto const dataset = file.dataset(name);
    require(dataset.extents() == b.extents, ExitCode::data,
            "{}: found {}, but the {} of this deck takes {}; set the sizes of [{}] to the file's", dataset.where(), dataset.description(),
            block.type, hdf5::description(element_of<Real>(), b.extents), block.section);
    auto const values = dataset.read<Real>();
    require_finite(values, dataset.where());
    std::copy(values.begin(), values.end(), all.begin() + b.offset);
  }
  return all;
}

// Whether a file is one of arrays, not a checkpoint, which has a manifest.
bool holds_arrays(Path const& path) {
  std::error_code absent;
  return std::filesystem::is_regular_file(path, absent) && !std::filesystem::exists(manifest_of(path), absent);
}

}  // namespace

std::optional<CheckpointFile> warm_start(Model& model, deck::Block const& block, Communicator const& ranks, Inputs& inputs) {
  std::string const from = block.as<WarmStart>().from;
  if (from.empty()) return {};
  Vector const parameters = model.parameters();
  require_all(parameters.extent(0) > 0, ExitCode::usage, "{}.from = \"{}\", but a {} has no parameters; remove the key", block.section,
              from, block.type);
  std::error_code unreadable;
  require_all(ranks.any(ranks.is_root() && std::filesystem::exists(from, unreadable)), ExitCode::data,
              "{}.from = \"{}\" does not exist; name the directory of a run, a checkpoint, or a file with a dataset for each parameter",
              block.section, from);
  on_root(ranks, [&] {
    if (!std::filesystem::is_directory(from, unreadable)) require_regular_file(from, ExitCode::data);
  });
  bool const arrays = ranks.any(ranks.is_root() && holds_arrays(from));
  CheckpointFile const file = arrays ? CheckpointFile{from} : find_checkpoint(from, ranks);
  Values values;
  together(ranks, [&] {
    values = arrays ? of_arrays(file.path, model, block) : of_checkpoint(file, model, block);
    copy_array(parameters, values);
  });
  model.parameters_changed();
  inputs.add(block.section + ".from", file.path.string(), data::content_hash(values.data(), values.size() * sizeof(Real)));
  return arrays ? std::nullopt : std::optional(file);
}

std::vector<std::vector<Real>> kept_parameters(std::string const& from, Communicator const& ranks) {
  CheckpointFile const file = find_checkpoint(from, ranks);
  std::vector<std::vector<Real>> out;
  together(ranks, [&] {
    require(hdf5::File::open(file.path).has("sampler/trajectory/copies"), ExitCode::data,
            "{}: that run kept no earlier parameters; name a training whose sampler.type is \"trajectory_tempering\"", file.path.string());
    auto const stored = read_field(file, "sampler/trajectory/copies").values;
    require(stored.size() == 1, ExitCode::data, "{}: sampler/trajectory/copies has {} values, wanted one", file.path.string(),
            stored.size());
    auto const copies = Index(stored[0]);
    for (Index n = 0; n < copies; n++) out.push_back(read_field(file, fmt::format("sampler/trajectory/{:03}", n)).values);
  });
  log::info("{} earlier parameters from {}", out.size(), file.path.string());
  return out;
}

}  // namespace partita
