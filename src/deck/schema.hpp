// The schema of a deck: each key once, with its type, default, unit, range, meaning and whether a restart may change it.
// It drives parsing, `partita reference`, `partita check`, did-you-mean, the resolved deck and the restart comparison.
//
// A key is bound to a member of a plain struct, whose member initialisers are the defaults (their only place):
//
//     struct UlaOptions { double step_size = 0; };
//     deck::Schema ula_schema() {
//       using O = UlaOptions;
//       return deck::schema<O>("ula", "Unadjusted Langevin: x <- x - eta dE/dx + sqrt(2 eta) xi",
//                              {deck::key("step_size", &O::step_size, "step eta").required().above(0)});
//     }
//     ...
//     UlaOptions const options = document.at("sampler").as<UlaOptions>();
//
// A default that its own range or choices forbid (0 for "computed", "" for "none") means "unset": it cannot be written in a deck. An array
// may be empty in a deck only where its default is: a key that is required, or has a default with entries, takes no [].
//
// A key or a type that is renamed names what it was called before, `.formerly("old")`. Decks with that name, --set and the recorded decks
// of earlier runs go on working: the name is accepted with a warning that says the present one, and what is written has the present one.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <typeindex>
#include <variant>
#include <vector>

namespace partita::deck {

using Value =
    std::variant<bool, std::int64_t, double, std::string, std::vector<double>, std::vector<std::int64_t>, std::vector<std::string>>;

enum class OnRestart { fixed, free };  // fixed: changing it would change the result

// On the value of another key of the same block.
struct Condition {
  std::string key;
  std::vector<Value> values;
  bool negated;
  bool met_by(Value const&) const;
  std::string text() const;  // "used only with precision = "dense"", "not used with sparsity_cost = 0.0"
};

class Key {
 public:
  std::string name;
  std::string doc;      // one line
  std::string unit;     // empty: dimensionless
  Value default_value;  // also tells the type
  bool is_required = false;
  double lowest = -std::numeric_limits<double>::infinity();  // of a number, or of each entry of an array
  double highest = std::numeric_limits<double>::infinity();
  bool lowest_open = false, highest_open = false;
  std::int64_t multiple = 1;                                     // of which a whole number is one
  double smallest_held = std::numeric_limits<double>::lowest();  // of a whole number: what the member can hold (int, unsigned)
  double largest_held = std::numeric_limits<double>::max();
  bool is_in_single_precision = false;                      // of a number: so that it must be one of that precision
  std::vector<std::string> choices;                         // of a string: the only values allowed, empty: any
  std::optional<std::size_t> length;                        // of an array
  std::function<std::string(Value const&)> reason_against;  // empty reason: the value is fine
  std::vector<std::string> tasks;                           // run.task values under which the key may stand, empty: all
  std::vector<std::string> conflicts;                       // keys of the same block that may not stand beside it (said at one of them)
  std::optional<Condition> condition;                       // without which the key is not used
  std::vector<std::string> former_names;                    // accepted with a warning, left out of the reference
  OnRestart on_restart = OnRestart::fixed;
  bool is_of_learning = false;  // of a model: says how parameters start or are learnt, and nothing of what they mean afterwards
  std::type_index bound_to = typeid(void);  // the options struct
  std::function<void(void* options, Value const&)> assign;

  // Not inline, so that the many files with schemas compile faster.
  Key();
  Key(Key const&);
  Key(Key&&) noexcept;
  Key& operator=(Key const&);
  Key& operator=(Key&&) noexcept;
  ~Key();
  Key& required();
  Key& above(double v);
  Key& at_least(double v);
  Key& below(double v);
  Key& at_most(double v);
  Key& multiple_of(std::int64_t n);
  Key& one_of(std::vector<std::string> v);
  Key& of_length(std::size_t n);
  Key& checked_by(std::function<std::string(Value const&)> reason);
  // Used in double precision alone, as a factor of data of any size is.
  Key& of_any_size();
  Key& in(std::string u);
  Key& for_tasks(std::vector<std::string> t);
  Key& excludes(std::vector<std::string> names);
  // The key is used where another key of its block has one of these values, or, `not_with`, has not; given elsewhere it is a mistake.
  Key& only_with(std::string other, std::vector<Value> values);
  Key& not_with(std::string other, std::vector<Value> values);
  Key& formerly(std::string former);
  Key& free_on_restart();
  Key& of_learning();

  // Why `v`, of the key's type, is not allowed ("must be above 0"); empty where it is.
  std::string problem(Value const& v) const;
  // "above 0 and at most 1", "one of "a", "b"", "3 entries": empty where anything goes.
  std::string limits() const;
  // What numbers it can hold: "from 1 to 268435456", "above 0 and at most 3.4e+38 in size".
  std::string held() const;
  // "a whole number", "an array of numbers", ...
  std::string kind() const;
};

// Whether one of the two keys excludes the other.
bool exclusive(Key const&, Key const&);
// The double whose shortest decimal form is that of `x`, so that a float's 0.1 equals the 0.1 of a deck.
double same_decimal(float x);
// The value as TOML, floats in the shortest form that keeps their bits.
std::string toml_text(Value const&);
// "[name]", or "[[name]]" where it is repeated.
std::string header(std::string const& section, bool repeated);
std::string joined(std::vector<std::string> const& words, std::string const& between);
// Names for messages: "a", "b" or "c".
std::string alternatives(std::vector<std::string> const& names);
// Throws Failure(internal) unless every key is bound to `options`.
void require_bound(std::vector<Key> const& keys, std::type_index options, std::string const& schema);

// The Value alternative that holds a member of type T (int and Index as std::int64_t, float as double).
template <class T>
struct StoredAs {
  using type = T;
};
template <>
struct StoredAs<int> {
  using type = std::int64_t;
};
template <>
struct StoredAs<std::uint64_t> {
  using type = std::int64_t;
};
template <>
struct StoredAs<float> {
  using type = double;
};

template <class Options, class T>
Key key(std::string name, T Options::*member, std::string doc) {
  using Stored = typename StoredAs<T>::type;
  Key k;
  k.name = std::move(name);
  k.doc = std::move(doc);
  k.bound_to = typeid(Options);
  T const initial = Options{}.*member;
  if constexpr (std::is_same_v<T, float>) k.default_value = same_decimal(initial);
  else k.default_value = static_cast<Stored>(initial);
  if constexpr (std::is_same_v<Stored, double> || std::is_same_v<Stored, std::vector<double>>) {
    k.is_in_single_precision = true;
  } else if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
    k.smallest_held = double(std::numeric_limits<T>::lowest());
    k.largest_held = double(std::numeric_limits<T>::max());
  }
  k.assign = [member](void* o, Value const& v) { static_cast<Options*>(o)->*member = static_cast<T>(std::get<Stored>(v)); };
  return k;
}

// The keys of one block, or of one `type = "..."` of a section.
struct Schema {
  std::string type;  // the value of `type` that selects it; empty for a section without types
  std::string doc;   // one line, the formula where there is one
  std::vector<Key> keys;
  std::vector<std::string> without;       // common keys of the section that mean nothing to this type: they may not stand beside it
  std::vector<std::string> former_types;  // accepted with a warning, left out of the reference

  Schema& excludes_common(std::vector<std::string> names) {
    without = std::move(names);
    return *this;
  }
  Schema& formerly(std::string former) {
    former_types.push_back(std::move(former));
    return *this;
  }
};

template <class Options>
Schema schema(std::string type, std::string doc, std::vector<Key> keys) {
  require_bound(keys, typeid(Options), type);
  return {std::move(type), std::move(doc), std::move(keys), {}, {}};
}

// A [section] of the deck: keys common to all its types, and the types.
struct Section {
  std::string name;
  std::string doc;
  std::vector<Key> common;                  // bound to the section's own options struct
  std::vector<Schema> types;                // empty: the section has no `type` key
  std::string default_type;                 // where `type` is left out; empty: it must be given
  std::vector<std::string> tasks;           // run.task values under which it may stand, empty: all
  std::vector<std::string> required_for;    // run.task values that need it
  bool repeated = false;                    // [[section]]
  OnRestart on_restart = OnRestart::fixed;  // of its presence and type
  bool asks_by_presence = false;            // to be there is to ask for something: absent, it is not in the resolved deck with its defaults
};

struct Catalogue {
  std::vector<Section> sections;
};

// Where something stands in a deck; `source` is the file's name, or "--set" for an override (line 0).
struct Position {
  std::string source;
  int line = 0, column = 0;
};
std::string to_string(Position const&);  // "run.toml:7:13", "--set"

// A block as read: validated, complete (defaults filled in), immutable.
class Block {
 public:
  struct Entry {
    Key const* key;  // lives in the Catalogue
    Value value;
    std::optional<Position> given_at;  // of the value; empty: the default
  };
  std::string section, type;
  Position at;
  std::optional<Position> type_given_at;
  bool given = false;     // false: the section is absent and stands here with its defaults
  bool repeated = false;  // [[section]]
  OnRestart on_restart = OnRestart::fixed;
  bool asks_by_presence = false;
  std::vector<Entry> entries;  // in Catalogue order; keys that do not apply to the task or type are left out

  Entry const* find(std::string const& key) const;  // nullptr where there is none

  // The options struct with every key that is bound to it; the others keep their member initialisers.
  template <class Options>
  Options as() const {
    Options o{};
    for (Entry const& e : entries)
      if (e.key->bound_to == typeid(Options)) e.key->assign(&o, e.value);
    return o;
  }
};

}  // namespace partita::deck
