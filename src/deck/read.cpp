// Validation: the written deck against the Catalogue, all problems collected.
#include <algorithm>
#include <map>
#include <regex>

#include "core/require.hpp"
#include "deck/convert.hpp"
#include "deck/toml.hpp"

namespace partita::deck {

namespace {

bool contains(std::vector<std::string> const& names, std::string const& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <class Items>
auto* find_named(Items& items, std::string const& name) {
  auto const at = std::find_if(items.begin(), items.end(), [&](auto const& item) { return item.name == name; });
  return at == items.end() ? nullptr : &*at;
}

bool is_called(Key const& key, std::string const& name) { return key.name == name || contains(key.former_names, name); }

bool any_called(std::vector<Key> const& keys, std::string const& name) {
  return std::any_of(keys.begin(), keys.end(), [&](Key const& key) { return is_called(key, name); });
}

// The keys that may stand in a block of this type, of which there may be none.
std::vector<Key const*> keys_of(Section const& section, Schema const* type) {
  std::vector<Key const*> keys;
  for (Key const& key : section.common) keys.push_back(&key);
  if (type)
    for (Key const& key : type->keys) keys.push_back(&key);
  return keys;
}

std::vector<std::string> names_of(std::vector<Key> const& keys) {
  std::vector<std::string> names;
  for (Key const& k : keys) names.push_back(k.name);
  return names;
}

void append(std::vector<std::string>& to, std::vector<std::string> const& more) { to.insert(to.end(), more.begin(), more.end()); }

// A name as it could be written in a deck: quoted where it is no bare key.
std::string name_text(std::string const& name) {
  bool const bare =
      !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == name.npos;
  return shortened(bare ? name : toml_text(name));
}

std::string trimmed(std::string const& s) {
  std::size_t const first = s.find_first_not_of(" \t"), last = s.find_last_not_of(" \t");
  return first == s.npos ? "" : s.substr(first, last - first + 1);
}

// A file with more is no deck; to explain them all would take minutes.
constexpr std::size_t most_problems = 100;

Position const overriding{"--set", 0, 0};

class Reader {
 public:
  Reader(std::string const& source, Catalogue const& catalogue, std::vector<Problem>& problems)
      : start_{source, 1, 1}, catalogue_(catalogue), problems_(problems) {}

  Document read(WrittenDeck const& deck);
  void override_with(WrittenDeck& deck, std::string const& assignment);

 private:
  template <class... Args>
  void problem(Position const& at, fmt::format_string<Args...> text, Args&&... args) {
    problems_.push_back({at, fmt::format(text, std::forward<Args>(args)...)});
    if (problems_.size() < most_problems) return;
    problems_.push_back({at, "and more: is this a deck?"});
    refuse(std::move(problems_));
  }
  std::vector<WrittenKey>* overridden_keys(WrittenDeck& deck, std::string const& path);
  void read_task(WrittenDeck const& deck);
  void read_top(WrittenKey const& key);
  void check_section(WrittenSection const& written, std::size_t same_name_before);
  void read_section(Section const& section, WrittenDeck const& deck);
  void absent_section(Section const& section);
  void read_block(Section const& section, WrittenSection const& written, bool given);
  Schema const* read_type(Section const& section, WrittenSection const& written, Block& block);
  std::vector<WrittenKey> with_present_names(Section const& section, Schema const* schema, std::vector<WrittenKey> keys);
  void read_key(Section const& section, Schema const* schema, Key const& key, WrittenSection const& written, Block& block);
  void unknown_key(Section const& section, Schema const* schema, WrittenKey const& key);
  bool applies(std::vector<std::string> const& tasks) const {
    return tasks.empty() || document_.task.empty() || contains(tasks, document_.task);
  }
  std::vector<std::string> section_names() const;
  std::vector<std::string> sections_with(std::string const& key) const;

  Position start_;
  Catalogue const& catalogue_;
  Document document_;
  std::vector<Problem>& problems_;
};

std::vector<std::string> Reader::section_names() const {
  std::vector<std::string> names;
  for (Section const& s : catalogue_.sections) names.push_back(s.name);
  return names;
}

// Sections in which a key of that name may stand, as "[name]".
std::vector<std::string> Reader::sections_with(std::string const& key) const {
  std::vector<std::string> found;
  for (Section const& s : catalogue_.sections) {
    auto const holds = [&](Schema const& type) { return any_called(type.keys, key); };
    if (any_called(s.common, key) || std::any_of(s.types.begin(), s.types.end(), holds)) found.push_back(header(s.name, s.repeated));
  }
  return found;
}

// run.task first: it decides what applies. While it is unknown everything applies, so that nothing is reported only because of it.
void Reader::read_task(WrittenDeck const& deck) {
  Section const* run = find_named(catalogue_.sections, "run");
  Key const* task = run ? find_named(run->common, "task") : nullptr;
  if (!task) return;
  WrittenSection const* section = find_named(deck.sections, "run");
  WrittenKey const* written = section ? find_named(section->keys, "task") : nullptr;
  if (!written && !task->is_required) document_.task = std::get<std::string>(task->default_value);
  if (!written) return;
  auto const result = convert(*task, written->value);
  if (Value const* value = std::get_if<Value>(&result)) document_.task = std::get<std::string>(*value);
}

void Reader::read_top(WrittenKey const& key) {
  if (key.name == "title") {
    std::string const* title = key.value.is_array ? nullptr : std::get_if<std::string>(&key.value.entries.front());
    if (title) document_.title = *title;
    else problem(key.value.at, "title = {}: must be text in quotes, not {}", text_of(key.value), kind_of(key.value));
    return;
  }
  if (Section const* section = find_named(catalogue_.sections, key.name)) {
    problem(key.at, "{}: a section, not a key; write it as a line {}", key.name, header(section->name, section->repeated));
    return;
  }
  std::vector<std::string> names = section_names();
  names.push_back("title");
  std::string const near = nearest(key.name, names);
  auto const homes = sections_with(key.name);
  std::string const hint = !homes.empty()  ? fmt::format("it belongs to {}", joined(homes, ", "))
                           : !near.empty() ? fmt::format("did you mean \"{}\"?", near)
                                           : std::string("only title may stand before the first [section]");
  problem(key.at, "{}: unknown key; {}", name_text(key.name), hint);
}

void Reader::check_section(WrittenSection const& written, std::size_t same_name_before) {
  Section const* section = find_named(catalogue_.sections, written.name);
  if (!section) {
    std::string const near = nearest(written.name, section_names());
    std::string const hint = near.empty() ? fmt::format("sections are {}", joined(section_names(), ", "))
                                          : fmt::format("did you mean {}?", header(near, find_named(catalogue_.sections, near)->repeated));
    problem(written.at, "[{}]: unknown section; {}", name_text(written.name), hint);
  } else if (written.repeated != section->repeated) {
    if (same_name_before == 0)
      problem(written.at, "[{0}]: {1}; write {2}", written.name, section->repeated ? "may stand several times" : "stands once",
              header(section->name, section->repeated));
  } else if (!applies(section->tasks)) {
    problem(written.at, "[{}]: does not apply to task \"{}\", only to {}; remove it or change run.task", written.name, document_.task,
            alternatives(section->tasks));
  }
}

Document Reader::read(WrittenDeck const& deck) {
  read_task(deck);
  for (WrittenKey const& key : deck.top) read_top(key);
  std::map<std::string, std::size_t> seen;
  for (WrittenSection const& written : deck.sections) check_section(written, seen[written.name]++);
  for (Section const& section : catalogue_.sections)
    if (applies(section.tasks)) read_section(section, deck);
  return std::move(document_);
}

void Reader::read_section(Section const& section, WrittenDeck const& deck) {
  bool present = false;
  for (WrittenSection const& written : deck.sections) {
    if (written.name != section.name) continue;
    present = true;
    if (written.repeated == section.repeated) read_block(section, written, true);
  }
  if (!present && !find_named(deck.top, section.name)) absent_section(section);
}

// An absent section is a problem where the task needs it; otherwise it stands by its defaults where it can.
void Reader::absent_section(Section const& section) {
  if (contains(section.required_for, document_.task)) {
    problem(start_, "[{}]: this section is missing, task \"{}\" needs it; see 'partita reference'", section.name, document_.task);
    return;
  }
  bool const holds_task = section.name == "run";
  auto const needed = [&](Key const& k) { return k.is_required && applies(k.tasks); };
  Schema const* type = nullptr;
  for (Schema const& s : section.types)
    if (s.type == section.default_type) type = &s;
  bool const complete = !section.repeated &&
                        (section.types.empty() || (type && std::none_of(type->keys.begin(), type->keys.end(), needed))) &&
                        std::none_of(section.common.begin(), section.common.end(), needed);
  if (complete || holds_task) read_block(section, {section.name, start_, section.repeated, {}}, false);
}

Schema const* Reader::read_type(Section const& section, WrittenSection const& written, Block& block) {
  std::vector<std::string> names;
  for (Schema const& s : section.types) names.push_back(s.type);
  WrittenKey const* key = find_named(written.keys, "type");
  std::string const* text = key && !key->value.is_array ? std::get_if<std::string>(&key->value.entries.front()) : nullptr;
  if (!key && section.default_type.empty()) problem(written.at, "{}.type: missing; must be {}", section.name, alternatives(names));
  else if (key && !text)
    problem(key->value.at, "{}.type = {}: must be text in quotes, not {}; one of {}", section.name, text_of(key->value),
            kind_of(key->value), alternatives(names));
  else {
    std::string const type = block.type = key ? *text : section.default_type;
    if (key) block.type_given_at = key->value.at;
    for (Schema const& s : section.types) {
      if (s.type != type && !contains(s.former_types, type)) continue;
      if (s.type != type)
        document_.warnings.push_back({key->value.at, fmt::format("{}.type = {} is now called {}: write {}.type = {}", section.name,
                                                                 toml_text(type), toml_text(s.type), section.name, toml_text(s.type))});
      block.type = s.type;
      return &s;
    }
    std::string const near = nearest(type, names);
    problem(key ? key->value.at : written.at, "{}.type = {}: unknown type; {}", section.name, shortened(toml_text(type)),
            near.empty() ? "must be " + alternatives(names) : fmt::format("did you mean \"{}\"?", near));
  }
  return nullptr;
}

// The keys by their present names; a key may stand under one of its names only.
std::vector<WrittenKey> Reader::with_present_names(Section const& section, Schema const* schema, std::vector<WrittenKey> keys) {
  auto const rename = [&](Key const& key, std::string const& former) {
    WrittenKey* const written = find_named(keys, former);
    if (!written) return;
    if (WrittenKey const* other = find_named(keys, key.name)) {
      problem(written->at, "{0}.{1}: the former name of {0}.{2}, which is given too ({3}); remove {1}", section.name, former, key.name,
              to_string(other->at));
      std::erase_if(keys, [&](WrittenKey const& k) { return k.name == former; });
      return;
    }
    document_.warnings.push_back({written->at, fmt::format("{0}.{1} is now called {0}.{2}: write {2}", section.name, former, key.name)});
    written->name = key.name;
  };
  for (Key const* key : keys_of(section, schema))
    for (std::string const& former : key->former_names) rename(*key, former);
  return keys;
}

void Reader::read_block(Section const& section, WrittenSection const& as_written, bool given) {
  std::size_t const problems_before = problems_.size();
  Block block{section.name, "", as_written.at, {}, given, section.repeated, section.on_restart, section.asks_by_presence, {}};
  Schema const* schema = section.types.empty() ? nullptr : read_type(section, as_written, block);
  WrittenSection written = as_written;
  written.keys = with_present_names(section, schema, std::move(written.keys));
  for (Key const* key : keys_of(section, schema)) read_key(section, schema, *key, written, block);
  for (WrittenKey const& key : written.keys) {
    bool const selects_type = key.name == "type" && !section.types.empty();
    if (!selects_type && !find_named(section.common, key.name) && !(schema && find_named(schema->keys, key.name)))
      unknown_key(section, schema, key);
  }
  if (problems_.size() == problems_before) document_.blocks.push_back(std::move(block));
}

void Reader::read_key(Section const& section, Schema const* schema, Key const& key, WrittenSection const& written, Block& block) {
  WrittenKey const* found = find_named(written.keys, key.name);
  std::string const name = section.name + "." + key.name;
  bool const excluded_by_type = schema && contains(schema->without, key.name);
  if (!found) {
    if (!applies(key.tasks) || excluded_by_type) return;
    if (key.is_required)
      problem(written.at, "{}: missing; must be {}{}{} ({})", name, key.kind(), key.limits().empty() ? "" : ", ", key.limits(), key.doc);
    else block.entries.push_back({&key, key.default_value, {}});
    return;
  }
  if (!applies(key.tasks)) {
    problem(found->at, "{}: does not apply to task \"{}\", only to {}; remove it or change run.task", name, document_.task,
            alternatives(key.tasks));
    return;
  }
  if (excluded_by_type) {
    problem(found->at, "{}: does not apply to type \"{}\"; remove it or change {}.type", name, block.type, section.name);
    return;
  }
  for (std::string const& other : key.conflicts)
    if (WrittenKey const* rival = find_named(written.keys, other))
      problem(found->at, "{}: excluded by {}.{} ({}); remove one of them", name, section.name, other, to_string(rival->at));
  auto result = convert(key, found->value);
  if (Value* value = std::get_if<Value>(&result)) {
    block.entries.push_back({&key, std::move(*value), found->value.at});
    return;
  }
  auto const& [reason, hint] = std::get<Refusal>(result);
  std::string const* text = found->value.is_array ? nullptr : std::get_if<std::string>(&found->value.entries.front());
  std::string const near = text ? nearest(*text, key.choices) : "";
  problem(found->value.at, "{} = {}: {} ({}); {}", name, text_of(found->value), reason, key.doc,
          !near.empty()   ? fmt::format("did you mean \"{}\"?", near)
          : !hint.empty() ? hint
                          : std::string("see 'partita reference'"));
}

void Reader::unknown_key(Section const& section, Schema const* schema, WrittenKey const& key) {
  std::vector<std::string> types, known = names_of(section.common);
  for (Schema const& s : section.types) {
    if (any_called(s.keys, key.name)) types.push_back(s.type);
    if (!schema || &s == schema) append(known, names_of(s.keys));
  }
  if (!schema && !types.empty()) return;  // the type itself is the problem
  std::string const name = section.name + "." + name_text(key.name);
  if (!types.empty()) {
    problem(key.at, "{}: not a key of type \"{}\"; remove it, or change {}.type to {}", name, schema->type, section.name,
            alternatives(types));
    return;
  }
  if (!section.types.empty()) known.push_back("type");
  auto const homes = sections_with(key.name);
  std::string const near = nearest(key.name, known);
  std::string const hint = !near.empty()    ? fmt::format("did you mean \"{}\"?", near)
                           : !homes.empty() ? fmt::format("it belongs to {}", joined(homes, ", "))
                           : known.empty()  ? std::string("no key may stand here")
                                            : fmt::format("keys here are {}", joined(known, ", "));
  problem(key.at, "{}: unknown key{}; {}", name, schema ? fmt::format(" of type \"{}\"", schema->type) : "", hint);
}

// A TOML value, or a bare word as a string. Empty, with the reason in `refusal`, where it is neither.
std::optional<WrittenValue> override_value(std::string const& text, std::string& refusal) {
  std::vector<Problem> syntax;
  auto const deck = parse("value = " + text, overriding.source, syntax);
  if (deck && deck->sections.empty() && deck->top.size() == 1)
    return WrittenValue{overriding, deck->top[0].value.is_array, deck->top[0].value.entries};
  bool const opens_toml = text.empty() || std::string_view("[{\"'").find(text.front()) != std::string_view::npos;
  if (!deck && !opens_toml && parse("value = " + toml_text(text), overriding.source, syntax))
    return WrittenValue{overriding, false, {text}, true};
  refusal = text.empty() ? "no value after the =" : deck ? "must be one value, not a table" : syntax.front().text;
  return {};
}

// Whether one key of the section is, or was, called both.
bool same_key(Section const& section, std::string const& a, std::string const& b) {
  auto const is_among = [&](std::vector<Key> const& keys) {
    return std::any_of(keys.begin(), keys.end(), [&](Key const& key) { return is_called(key, a) && is_called(key, b); });
  };
  return is_among(section.common) ||
         std::any_of(section.types.begin(), section.types.end(), [&](Schema const& type) { return is_among(type.keys); });
}

// Applies "section.key=value" as if it had been written in the deck, in place of the key's value there, under whichever name it stands.
void Reader::override_with(WrittenDeck& deck, std::string const& assignment) {
  std::size_t const equals = assignment.find('=');
  if (equals == assignment.npos) {
    problem(overriding, "{}: no = in it; write section.key=value", name_text(assignment));
    return;
  }
  std::string const path = trimmed(assignment.substr(0, equals));
  std::vector<WrittenKey>* keys = overridden_keys(deck, path);
  std::string refusal;
  auto value = override_value(trimmed(assignment.substr(equals + 1)), refusal);
  if (!keys) return;  // the path itself is the problem
  if (!value) {
    problem(overriding, "{}: {}", path, refusal);
    return;
  }
  std::size_t const dot = path.find('.');
  std::string const name = path.substr(path.rfind('.') + 1);  // the whole path where there is no dot
  Section const* const section = find_named(catalogue_.sections, path.substr(0, dot));
  std::erase_if(*keys, [&](WrittenKey const& k) { return k.name == name || (section && same_key(*section, k.name, name)); });
  keys->push_back({name, overriding, std::move(*value)});
}

// The keys that "section.key", "section.0.key" or "title" stands among, the section added where the deck has none; nullptr with a problem
// noted.
std::vector<WrittenKey>* Reader::overridden_keys(WrittenDeck& deck, std::string const& path) {
  if (path == "title") return &deck.top;
  static std::regex const form(R"(([\w-]+)(?:\.(\d{1,9}))?\.([\w-]+))");
  std::smatch part;
  constexpr std::size_t longest = 200;
  if (path.size() > longest || !std::regex_match(path, part, form)) {
    problem(overriding, "{}: must be section.key=value, section.0.key=value for the first [[section]], or title=value", name_text(path));
    return nullptr;
  }
  std::string const name = part[1];
  std::vector<WrittenSection*> sections;
  for (WrittenSection& s : deck.sections)
    if (s.name == name) sections.push_back(&s);
  Section const* section = find_named(catalogue_.sections, name);
  if (section && section->repeated != part[2].matched) {
    problem(overriding, "{}: {}", path,
            section->repeated ? "say which one, as in " + name + ".0." + part[3].str() : "stands once; leave out the number");
    return nullptr;
  }
  std::size_t const index = part[2].matched ? std::stoul(part[2]) : 0;
  if (index < sections.size()) return &sections[index]->keys;
  if (part[2].matched) {
    if (sections.empty()) problem(overriding, "{}: the deck has no [[{}]]; add one to it", path, name);
    else problem(overriding, "{}: the deck has only {} [[{}]]; count from 0, or add one to the deck", path, sections.size(), name);
    return nullptr;
  }
  return &deck.sections.emplace_back(WrittenSection{name, overriding, false, {}}).keys;
}

}  // namespace

Reading examine(std::string const& text, std::string const& source, Catalogue const& catalogue, std::vector<std::string> const& overrides) {
  Reading reading;
  auto deck = parse(text, source, reading.problems);
  if (!deck) return reading;
  Reader reader(source, catalogue, reading.problems);
  for (std::string const& assignment : overrides) reader.override_with(*deck, assignment);
  reading.document = reader.read(*deck);
  return reading;
}

Document read(std::string const& text, std::string const& source, Catalogue const& catalogue, std::vector<std::string> const& overrides) {
  return examine(text, source, catalogue, overrides).whole();
}

Document Reading::whole() && {
  if (!problems.empty()) refuse(std::move(problems));
  return std::move(document);
}

}  // namespace partita::deck
