#include "deck/document.hpp"

#include <algorithm>
#include <tuple>

#include "core/require.hpp"

namespace partita::deck {

void refuse(std::vector<Problem> problems) {
  // Overrides (line 0) come after the file, in their own order.
  auto const place = [](Problem const& p) { return std::tuple(p.at.line == 0, p.at.line, p.at.column); };
  std::stable_sort(problems.begin(), problems.end(), [&](Problem const& a, Problem const& b) { return place(a) < place(b); });
  std::string message;
  for (Problem const& p : problems) message += fmt::format("{}: {}\n", to_string(p.at), p.text);
  auto const in_files = std::count_if(problems.begin(), problems.end(), [](Problem const& p) { return p.code == ExitCode::data; });
  auto const in_deck = std::ssize(problems) - in_files;
  auto const errors = [](std::ptrdiff_t n) { return fmt::format("{} error{}", n, n == 1 ? "" : "s"); };
  if (in_deck > 0) message += errors(in_deck) + " in the deck";
  if (in_files > 0) message += (in_deck > 0 ? ", " : "") + errors(in_files) + " in the files that the deck names";
  fail(in_deck > 0 ? ExitCode::usage : ExitCode::data, message, FailedOn::all_ranks);
}

Block const* Document::find(std::string const& section) const {
  auto const at = std::find_if(blocks.begin(), blocks.end(), [&](Block const& b) { return b.section == section; });
  return at == blocks.end() ? nullptr : &*at;
}

Block const& Document::at(std::string const& section) const {
  Block const* block = find(section);
  require_all(block, ExitCode::internal, "section [{}] was asked for, but the deck has none and none is required for task \"{}\"", section,
              task);
  return *block;
}

std::vector<Block const*> Document::all(std::string const& section) const {
  std::vector<Block const*> found;
  for (Block const& b : blocks)
    if (b.section == section) found.push_back(&b);
  return found;
}

namespace {

bool is_used(Block const& block, Block::Entry const& entry) {
  if (!entry.key->condition) return true;
  Block::Entry const* const other = block.find(entry.key->condition->key);
  return !other || entry.key->condition->met_by(other->value);
}

// A default that could also have been written: used, allowed by the key itself and excluding no other key.
bool can_be_written(Block const& block, Block::Entry const& entry) {
  if (!is_used(block, entry)) return false;
  if (entry.given_at) return true;
  auto const rivals = [&](Block::Entry const& other) { return exclusive(*entry.key, *other.key); };
  return std::none_of(block.entries.begin(), block.entries.end(), rivals) && entry.key->problem(entry.value).empty();
}

}  // namespace

std::string resolved(Block const& block, Keys keys) {
  std::string text = fmt::format("{}\n", header(block.section, block.repeated));
  if (!block.type.empty()) text += fmt::format("type = {}\n", toml_text(block.type));
  for (Block::Entry const& entry : block.entries)
    if (can_be_written(block, entry) && (keys == Keys::all || entry.key->on_restart == OnRestart::fixed))
      text += fmt::format("{} = {}\n", entry.key->name, toml_text(entry.value));
  return text;
}

std::string resolved(Document const& document) {
  std::string text = fmt::format("title = {}\n", toml_text(document.title));
  for (Block const& block : document.blocks)
    if (block.given || !block.asks_by_presence) text.append("\n").append(resolved(block, Keys::all));
  return text;
}

namespace {

std::string named(Block const& block, std::size_t index) {
  return block.repeated ? fmt::format("{}.{}", block.section, index) : block.section;
}

std::string in_deck(std::string const& value, std::optional<Position> const& at) {
  return at ? fmt::format("{} in the deck ({})", value, to_string(*at)) : fmt::format("{} in the deck (its default)", value);
}

// Whether a key that changes results has another value in `running` than this entry of `wanted`, and is used in one of them.
bool differs(Block const& running, Block const& wanted, Block::Entry const& entry) {
  Block::Entry const* before = running.find(entry.key->name);
  if (!before || entry.key->on_restart == OnRestart::free || before->value == entry.value) return false;
  return is_used(running, *before) || is_used(wanted, entry);
}

void compare(Block const& running, Block const& wanted, std::string const& name, std::vector<std::string>& differences) {
  if (running.type != wanted.type) {
    if (wanted.on_restart == OnRestart::fixed)
      differences.push_back(
          fmt::format("{}.type: {} in the run, {}", name, toml_text(running.type), in_deck(toml_text(wanted.type), wanted.type_given_at)));
    return;
  }
  for (Block::Entry const& entry : wanted.entries)
    if (differs(running, wanted, entry))
      differences.push_back(fmt::format("{}.{}: {} in the run, {}", name, entry.key->name, toml_text(running.find(entry.key->name)->value),
                                        in_deck(toml_text(entry.value), entry.given_at)));
}

}  // namespace

std::vector<Problem> unused_keys(Document const& document) {
  std::vector<Problem> problems;
  for (Block const& block : document.blocks)
    for (Block::Entry const& entry : block.entries) {
      if (!entry.given_at || entry.value == entry.key->default_value || is_used(block, entry)) continue;
      Condition const& condition = *entry.key->condition;
      problems.push_back(
          {*entry.given_at, fmt::format("{0}.{1} is {2}, but {0}.{3} = {4}; change {3}, or remove {1}", block.section, entry.key->name,
                                        condition.text(), condition.key, toml_text(block.find(condition.key)->value))});
    }
  return problems;
}

std::vector<std::string> differences_that_change_results(Document const& running, Document const& wanted) {
  std::vector<std::string> differences, sections;
  for (Document const* document : {&wanted, &running})
    for (Block const& b : document->blocks)
      if (std::find(sections.begin(), sections.end(), b.section) == sections.end()) sections.push_back(b.section);
  for (std::string const& section : sections) {
    auto const before = running.all(section), after = wanted.all(section);
    for (std::size_t i = 0; i < std::max(before.size(), after.size()); i++) {
      if (i < before.size() && i < after.size()) compare(*before[i], *after[i], named(*after[i], i), differences);
      else if (i < after.size() && after[i]->on_restart == OnRestart::fixed)
        differences.push_back(
            fmt::format("{}: absent from the run, present in the deck ({})", named(*after[i], i), to_string(after[i]->at)));
      else if (i < before.size() && before[i]->on_restart == OnRestart::fixed)
        differences.push_back(fmt::format("{}: present in the run, absent from the deck", named(*before[i], i)));
    }
  }
  return differences;
}

std::vector<std::string> differences_in_meaning(Block const& learnt, Block const& used) {
  if (learnt.type != used.type) return {"type"};
  std::vector<std::string> keys;
  for (Block::Entry const& entry : used.entries)
    if (!entry.key->is_of_learning && differs(learnt, used, entry)) keys.push_back(entry.key->name);
  return keys;
}

}  // namespace partita::deck
