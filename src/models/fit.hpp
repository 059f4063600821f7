// A block of a deck together with the others that it has to work with, for the rules of the registry's entries: combinations that cannot
// work are found before anything is allocated.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "deck/document.hpp"
#include "models/capabilities.hpp"

namespace partita {

// The block of a section that stands in the deck; null where there is none.
inline deck::Block const* given(deck::Document const& deck, std::string const& section) {
  deck::Block const* const block = deck.find(section);
  return block && block->given ? block : nullptr;
}

// Points in a file, which are not read yet.
struct PointsInFile {
  std::string where;  // file and dataset, for messages
  Index points, dimension;
};

// Everything that the deck names, loaded as by a run. Models are present wherever their keys make one, without their arrays where files are
// not examined, or where a check would need a gigabyte for them; files only where they are examined, and could be read.
struct Loaded {
  bool files = false;                                                // whether files are examined
  bool model_has_values = false;                                     // whether the model has its arrays, not only its sizes
  std::unique_ptr<Model> model, target;                              // with the parameters of model.from and target.from
  std::unique_ptr<data::Dataset> data;                               // [data]
  std::optional<PointsInFile> input;                                 // [input]
  std::map<deck::Block const*, PointsInFile> references;             // of estimators
  std::optional<std::vector<std::vector<Real>>> earlier_parameters;  // of sampler.trajectory
};

// Interfaces and sizes of a deck's model, from its block.
struct ModelTraits {
  Capabilities can = {};
  std::optional<Sizes> sizes = {};
};

// The position of a key if it is given, else of the block's type.
inline deck::Position place_of(deck::Block const& block, std::string const& key = "") {
  auto const* const entry = key.empty() ? nullptr : block.find(key);
  return entry && entry->given_at ? *entry->given_at : block.type_given_at.value_or(block.at);
}
// The position of the first given key, "section.key", that the message names. Of repeated sections only `own` is considered. If no key is
// named, the position of its key `otherwise`, or of its type.
deck::Position place_named_in(std::string const& message, deck::Document const&, deck::Block const& own, std::string const& otherwise = "");

// Calls code of the run itself; a Failure of usage or of data becomes a problem at the first key that it names.
template <class Call>
void attempt(deck::Document const& deck, deck::Block const& own, std::string const& key, std::vector<deck::Problem>& problems,
             Call&& call) {
  try {
    call();
  } catch (Failure const& failure) {
    if (failure.code() != ExitCode::usage && failure.code() != ExitCode::data) throw;
    problems.push_back({place_named_in(failure.what(), deck, own, key), failure.what(), failure.code()});
  }
}

class Fit {
 public:
  Fit(deck::Document const& deck_as_read, deck::Block const& own_block, ModelTraits const& traits, Model* its_model,
      Loaded const* what_is_loaded, std::vector<deck::Problem>& problems)
      : deck(deck_as_read),
        own(own_block),
        can(traits.can),
        sizes(traits.sizes),
        model(its_model),
        loaded(what_is_loaded),
        problems_(problems) {}

  deck::Document const& deck;
  deck::Block const& own;            // the block of the entry whose rule is applied
  Capabilities const can;            // of the model, with its keys; empty where there is none
  std::optional<Sizes> const sizes;  // of the model; none where there is no model, or its keys do not make one
  Model* const model;                // the model itself; null where nothing is loaded yet, or there is none
  Loaded const* const loaded;        // null in the first check, that of the deck alone

  // The items of [data]; null where there are none, or they are not examined.
  data::Dataset const* data() const { return loaded ? loaded->data.get() : nullptr; }

  // Dimension of the points that estimators examine, where it is known: those of [input], else of the run's own chains.
  std::optional<Index> points_dimension() const {
    if (deck.task == "estimate") return loaded && loaded->input ? std::optional(loaded->input->dimension) : std::nullopt;
    return sizes ? std::optional(sizes->dimension) : std::nullopt;
  }
  // The points that the own block's `reference` names; null where it names none, or they are not examined.
  PointsInFile const* reference() const;

  // Adds a problem at the own block's `key`, or at its type if `key` is empty.
  void refuse(std::string const& key, std::string const& text) const { problems_.push_back({place_of(own, key), text}); }
  // Adds the problems that code of the run itself finds.
  template <class Call>
  void attempt(Call&& call) const {
    partita::attempt(deck, own, "", problems_, call);
  }
  // The same with the model, if it is loaded and has the interface.
  template <class Interface, class Call>
  void attempt_on(Call&& call) const {
    if (auto* const able = if_can<Interface>(model)) attempt([&] { call(*able); });
  }

 private:
  std::vector<deck::Problem>& problems_;
};

using Rule = std::function<void(Fit const&)>;

// The models that an entry works with: those that implement one of the interfaces `any` and none of `none`, or that have one of the types.
struct Needs {
  Capabilities any = {}, none = {};
  std::vector<std::string> types = {};

  bool nothing() const { return any.empty() && types.empty(); }
  bool met_by(std::string const& type, Capabilities const& can) const {
    if (!types.empty()) return std::find(types.begin(), types.end(), type) != types.end();
    return can.meets(any) && !can.meets(none);
  }
};
template <class... Interfaces>
Needs needs() {
  return {Capabilities::only<Interfaces...>()};
}

}  // namespace partita
