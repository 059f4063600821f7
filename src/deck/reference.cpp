#include <algorithm>

#include "core/require.hpp"
#include "deck/document.hpp"

namespace partita::deck {

namespace {

constexpr std::size_t comment_column = 44;

// "text  # comment", comments in one column where the text leaves room.
std::string line(std::string const& text, std::string const& comment) {
  return fmt::format("{:<{}}# {}\n", text + " ", comment_column, comment);
}

std::string tasks_text(std::vector<std::string> const& tasks) { return tasks.empty() ? "" : "only for task " + alternatives(tasks); }

std::string placeholder(Key const& key) {
  return key.choices.empty() ? fmt::format("<{}>", key.kind()) : fmt::format("<{}>", joined(key.choices, "|"));
}

// What may not stand beside `key` in a block, in words. A key of a type meets the common keys and those of its type, a common key those of
// any type; the type may exclude it, too.
std::string rivals(Section const& section, Schema const* type, Key const& key) {
  std::vector<std::string> names, types;
  auto const add_from = [&](std::vector<Key> const& keys) {
    for (Key const& other : keys)
      if (exclusive(key, other) && std::find(names.begin(), names.end(), other.name) == names.end()) names.push_back(other.name);
  };
  add_from(section.common);
  if (type) add_from(type->keys);
  else
    for (Schema const& any : section.types) {
      add_from(any.keys);
      if (std::find(any.without.begin(), any.without.end(), key.name) != any.without.end()) types.push_back(any.type);
    }
  std::vector<std::string> parts;
  if (!names.empty()) parts.push_back("not with " + alternatives(names));
  if (!types.empty()) parts.push_back("not with type " + alternatives(types));
  return joined(parts, "; ");
}

std::string comment_of(Key const& key, std::string const& excluded) {
  bool const is_unset = !key.is_required && !key.problem(key.default_value).empty();
  std::string const parts[] = {
      key.is_required ? "required"
      : is_unset      ? "unset by default"
                      : "",
      key.limits(),
      tasks_text(key.tasks),
      key.condition ? key.condition->text() : "",
      excluded,
      key.on_restart == OnRestart::free ? "free on restart" : "fixed on restart",
  };
  std::string text = key.doc + (key.unit.empty() ? "" : fmt::format(" [{}]", key.unit));
  for (std::string const& part : parts)
    if (!part.empty()) text += "; " + part;
  return text;
}

// Of a type, or common to all (nullptr). Required and unset keys have no value to show; they are commented out, as keys are that exclude
// others, and those of types.
std::string key_line(Section const& section, Schema const* type, Key const& key) {
  bool const has_value = !key.is_required && key.problem(key.default_value).empty();
  std::string const excluded = rivals(section, type, key);
  std::string const value = has_value ? toml_text(key.default_value) : placeholder(key);
  return line(fmt::format("{}{} = {}", type || !has_value || !excluded.empty() ? "# " : "", key.name, value), comment_of(key, excluded));
}

std::string section_text(Section const& section) {
  std::string comment = section.doc;
  if (!section.tasks.empty()) comment += "; " + tasks_text(section.tasks);
  if (!section.required_for.empty()) comment += "; required for task " + alternatives(section.required_for);
  if (section.repeated) comment += "; any number of them";
  if (!section.types.empty()) comment += section.on_restart == OnRestart::free ? "; type free on restart" : "; type fixed on restart";
  std::string text = line(header(section.name, section.repeated), comment);
  for (Key const& key : section.common) text += key_line(section, nullptr, key);
  for (Schema const& type : section.types) {
    bool const is_default = type.type == section.default_type;
    text += "#\n" + line(fmt::format("# type = {}", toml_text(type.type)), type.doc + (is_default ? "; the default type" : ""));
    for (Key const& key : type.keys) text += key_line(section, &type, key);
  }
  return text;
}

}  // namespace

std::string reference(Catalogue const& catalogue) {
  std::string text =
      "# Every section, type and key of a deck, in TOML. Keys stand with their defaults and may be left out; lines that begin with # are "
      "choices:\n"
      "# the types of a section, of which a deck takes one, keys that are required, unset by default or exclude others.\n"
      "# A restart may change what is free; changing what is fixed would change the result and is refused.\n\n";
  text += line("title = \"\"", "what the run is, in a few words; free on restart");
  for (Section const& section : catalogue.sections) text.append("\n").append(section_text(section));
  return text;
}

}  // namespace partita::deck
