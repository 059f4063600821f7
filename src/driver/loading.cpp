#include "driver/loading.hpp"

#include "data/load.hpp"
#include "driver/evaluation.hpp"
#include "driver/registry.hpp"
#include "driver/settings.hpp"
#include "io/sample_reader.hpp"
#include "io/together.hpp"
#include "models/items.hpp"
#include "models/warm_start.hpp"

namespace partita {
namespace {

std::string text_of(deck::Block const& block, std::string const& key) {
  auto const* const entry = block.find(key);
  auto const* const text = entry ? std::get_if<std::string>(&entry->value) : nullptr;
  return text ? *text : "";
}

class Loader {
 public:
  Loader(deck::Document const& deck, LookAt look, Communicator const& ranks, Inputs& inputs, std::vector<deck::Problem>& problems)
      : deck_(deck), for_run_(look == LookAt::files_for_run), ranks_(ranks), inputs_(inputs), problems_(problems) {
    if (deck::Block const* const run = deck.find("run")) key_ = random::make_key(run->as<RunOptions>().seed);
    loaded_.files = look != LookAt::deck_alone;
  }

  Loaded load() {
    load_data();
    loaded_.model = load_model("model");
    loaded_.target = load_model("target");
    if (loaded_.model && loaded_.data) attempt_on_data(deck_.at("data"), [&] { show(*loaded_.data, *loaded_.model); });
    if (loaded_.files) look_at_points(), load_trajectory();
    return std::move(loaded_);
  }

 private:
  void load_data() {
    deck::Block const* const block = given(deck_, "data");
    if (!block || (!loaded_.files && !data::is_generated(*block))) return;
    attempt_on_data(*block, [&] {
      loaded_.data = std::make_unique<data::Dataset>(data::load(*block, key_, ranks_));
      for (data::Content const& content : loaded_.data->contents()) inputs_.add("data." + content.role, content.source, content.hash);
    });
  }

  // What is wrong with generated data is wrong with their keys: there is no file.
  template <class Call>
  void attempt_on_data(deck::Block const& block, Call const& call) {
    std::size_t const before = problems_.size();
    attempt(deck_, block, "path", problems_, call);
    if (!data::is_generated(block)) return;
    for (std::size_t p = before; p < problems_.size(); p++) problems_[p].code = ExitCode::usage;
  }

  // Null where the keys do not make a model, which the deck's check reports.
  std::unique_ptr<Model> load_model(std::string const& section) {
    deck::Block const* const block = given(deck_, section);
    if (!block || !has_sizes(*block)) return nullptr;
    auto const make = [&](Arrays const& arrays) {
      std::unique_ptr<Model> made;
      attempt(deck_, *block, "", problems_, [&] { made = make_model(*block, key_, arrays); });
      return made;
    };
    ArrayList arrays;
    auto model = make(Arrays(arrays));  // what rules ask a model is known from its keys
    if (!model || !loaded_.files || (!for_run_ && arrays.bytes() > largest_checked)) return model;
    model = make({});
    if (!model) return nullptr;
    if (section == "model") loaded_.model_has_values = true;
    attempt(deck_, *block, "from", problems_, [&] {
      if (auto const learnt = warm_start(*model, *block, ranks_, inputs_)) require_same_meaning(*block, *learnt);
    });
    return model;
  }
  // As many parameters of another model, or of one with another activation, would be taken for those of this one.
  void require_same_meaning(deck::Block const& block, CheckpointFile const& file) {
    deck::Document const recorded = deck::examine(read_checkpoint_info(file).deck, file.path.string(), catalogue()).document;
    deck::Block const* const learnt = given(recorded, "model");
    if (!learnt) return;
    for (std::string const& key : deck::differences_in_meaning(*learnt, block)) {
      auto const value = [&](deck::Block const& b) {
        return key == "type" ? deck::toml_text(b.type) : deck::toml_text(b.find(key)->value);
      };
      problems_.push_back(
          {place_of(block, key), fmt::format("{0}.{1} = {2}, but the parameters of {0}.from were learnt with {3} ({4}); use that, "
                                             "or other parameters",
                                             block.section, key, value(block), value(*learnt), file.path.string())});
    }
  }
  static constexpr double largest_checked = 1e9;  // bytes
  static bool has_sizes(deck::Block const& block) try {
    return named(models(), block.type).sizes(block).dimension > 0;
  } catch (Failure const&) {
    return false;
  }

  void show(data::Dataset& data, Model& model) const {
    fit_to_units(data, model);
    if (loaded_.model_has_values) take_reference(model, data);
  }

  void look_at_points() {
    if (deck::Block const* const block = given(deck_, "input"))
      attempt(deck_, *block, "path", problems_,
              [&] { loaded_.input = points_in(text_of(*block, "path"), text_of(*block, "dataset"), loaded_.model.get()); });
    for (deck::Block const* block : deck_.all("estimator")) {
      std::string const path = text_of(*block, "reference"), dataset = text_of(*block, "reference_dataset");
      if (path.empty() || !block->find("reference_dataset")) continue;
      attempt(deck_, *block, "reference", problems_, [&] { loaded_.references[block] = points_in(path, dataset, nullptr); });
    }
  }
  // Examines the values of this rank's share, as points of the model where there is one, a few megabytes at a time.
  PointsInFile points_in(std::string const& path, std::string const& dataset, Model const* model) const {
    PointsInFile found;
    together(ranks_, [&] {
      SampleReader const reader(path, dataset);
      found = {reader.where(), reader.chains() * reader.draws(), reader.dimension()};
      bool const of_model = model && model->dimension() == found.dimension;
      TileRange const mine = share_of_tiles(reader.chains(), ranks_.rank(), ranks_.ranks());
      Index const at_once = std::max<Index>(1, examined_at_once / std::max<Index>(1, reader.draws() * found.dimension));
      for (Index first = mine.first; first < mine.end(); first += at_once) {
        auto const points = reader.read<float>(first, std::min(at_once, mine.end() - first));
        if (of_model) require_points_of_units(points, first * reader.draws(), found.dimension, found.where, *model);
      }
    });
    return found;
  }
  static constexpr Index examined_at_once = Index(1) << 20;  // values

  void load_trajectory() {
    deck::Block const* const block = given(deck_, "sampler");
    if (std::string const from = block ? text_of(*block, "trajectory") : ""; !from.empty())
      attempt(deck_, *block, "trajectory", problems_, [&] { loaded_.earlier_parameters = kept_parameters(from, ranks_); });
  }

  deck::Document const& deck_;
  bool const for_run_;
  random::Key key_{};
  Communicator const& ranks_;
  Inputs& inputs_;
  std::vector<deck::Problem>& problems_;
  Loaded loaded_;
};

}  // namespace

Loaded load(deck::Document const& deck, LookAt look, Communicator const& ranks, Inputs& inputs, std::vector<deck::Problem>& problems) {
  return Loader(deck, look, ranks, inputs, problems).load();
}

}  // namespace partita
