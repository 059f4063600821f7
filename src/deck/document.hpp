// A deck as read from text, validated against a Catalogue, all errors at once.
#pragma once
#include <string>
#include <vector>

#include "core/require.hpp"
#include "deck/schema.hpp"

namespace partita::deck {

// One thing wrong with a deck, or with a file that a key at this position names (ExitCode::data): what, where, why, what to do.
struct Problem {
  Position at;
  std::string text;
  ExitCode code = ExitCode::usage;
};
// Throws a Failure on all ranks with every problem as "source:line:column: text", sorted by position, and their count: of usage, or of data
// where the files alone are wrong.
[[noreturn]] void refuse(std::vector<Problem> problems);

// Points into the Catalogue it was read with, which must outlive it.
struct Document {
  std::string title;
  std::string task;               // run.task
  std::vector<Block> blocks;      // in Catalogue order, repeated ones in file order; absent sections that can stand by their defaults too
  std::vector<Problem> warnings;  // former names

  Block const* find(std::string const& section) const;              // nullptr where it is absent or does not apply to the task
  Block const& at(std::string const& section) const;                // Failure(internal) where it is absent
  std::vector<Block const*> all(std::string const& section) const;  // of a repeated section
};

// What could be read of a text: where there are problems, a document of the blocks that have none.
struct Reading {
  Document document;
  std::vector<Problem> problems;
  Document whole() &&;  // problems are thrown through `refuse`
};
// Reads `text` (named `source` in messages) with `overrides`: "section.key=value", "section.0.key=value" for the first [[section]], or
// "title=value", with TOML values; bare words are taken as strings.
Reading examine(std::string const& text, std::string const& source, Catalogue const&, std::vector<std::string> const& overrides = {});
// The same, whole.
Document read(std::string const& text, std::string const& source, Catalogue const&, std::vector<std::string> const& overrides = {});

// The text of a deck file. Missing (with the nearest name), directory, unreadable, above 64 MiB: Failure(usage), of this rank alone because
// another may not have tried, or have found the file.
std::string load(std::string const& path);

// The deck with every key written out, defaults included; reading it again gives the same values.
// Left out are unset defaults and defaults of keys that exclude others.
std::string resolved(Document const&);
// The same of one section, with all its keys or those that are fixed on restart alone.
enum class Keys { all, fixed_on_restart };
std::string resolved(Block const&, Keys);

// Every section, type and key with its default, unit, range and meaning: the reference deck. It parses as TOML; what has to be chosen
// (types, required keys) is commented out.
std::string reference(Catalogue const&);

// Keys that are given, with other values than their defaults, where their condition says that they are not used.
std::vector<Problem> unused_keys(Document const&);

// Keys, types and sections that are fixed on restart and differ: "sampler.step_size: 0.1 in the run, 0.2 in the deck (run.toml:7:13)".
std::vector<std::string> differences_that_change_results(Document const& running, Document const& wanted);

// Keys that say what parameters mean, of a block by which they were learnt, and have other values in one that uses them: "type" alone
// where the types differ.
std::vector<std::string> differences_in_meaning(Block const& learnt, Block const& used);

// The nearest name, for did-you-mean; empty if none is near.
std::string nearest(std::string const& word, std::vector<std::string> const& candidates);

}  // namespace partita::deck
