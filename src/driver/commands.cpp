#include "driver/commands.hpp"

#include <cstdio>

#include "comm/environment.hpp"
#include "core/log.hpp"
#include "core/require.hpp"
#include "driver/fitting.hpp"
#include "driver/info.hpp"
#include "driver/registry.hpp"
#include "driver/run.hpp"
#include "driver/task.hpp"
#include "io/run_directory.hpp"
#include "io/together.hpp"
#include "models/fit.hpp"

namespace partita {
namespace {

void print(Communicator const& ranks, std::string const& text) {
  if (ranks.is_root()) std::fputs(text.c_str(), stdout);
}

// To `info` a wrong deck is a file that it cannot describe: ExitCode::data, as for other files.
std::string describe_deck_file(Arguments const& a, Communicator const& ranks) {
  try {
    return describe_deck(read_deck(a, a.subject, ranks).whole());
  } catch (Failure const& failure) {
    fail(ExitCode::data, failure.what(), failure.where(), failure.location());
  }
}

std::string check(Arguments const& a, Communicator const& alone) {
  auto const look = a.without_files ? LookAt::deck_alone : LookAt::files;
  auto const document = without_mistakes(read_deck(a, a.deck, alone), look, alone);
  for (auto const& w : document.warnings) log::warning("{}: {}", deck::to_string(w.at), w.text);
  Inputs inputs;
  Loaded const loaded = load_and_check(document, look, alone, inputs);
  if (loaded.data)
    for (std::string const& w : loaded.data->warnings()) log::warning("{}", w);
  deck::Block const& run = document.at("run");
  try {
    RunDirectory(run.as<RunOptions>().output).require_writable();
  } catch (Failure const& f) {
    fail(f.code(), fmt::format("{}: {}", deck::to_string(place_of(run, "output")), f.what()));
  }
  Index const ranks = a.ranks > 0 ? a.ranks : ranks_announced();
  return fmt::format("{}\n# memory on {}\n{}", deck::resolved(document),
                     ranks == 1 ? "1 rank" : fmt::format("all {} ranks together", ranks), memory_estimate(document, ranks));
}

}  // namespace

deck::Reading read_deck(Arguments const& a, std::string const& file, Communicator const& ranks) {
  std::string text;
  on_root(ranks, [&] { text = deck::load(file); });
  ranks.broadcast(text);
  auto overrides = a.overrides;
  if (!a.walltime.empty()) overrides.push_back("run.walltime=\"" + a.walltime + "\"");
  return deck::examine(text, file, catalogue(), overrides);
}

int execute(Arguments const& a, Communicator const& ranks) {
  if (a.command == "run") return run(a, ranks);
  if (a.command == "check") {
    print(ranks, check(a, ranks));
  } else if (a.command == "reference") {
    print(ranks, deck::reference(catalogue()));
  } else if (a.command == "list") {
    print(ranks, list(a.subject));
  } else if (a.command == "info") {
    print(ranks, a.output_only                  ? read_deck(a, a.subject, ranks).whole().at("run").as<RunOptions>().output + "\n"
                 : a.subject.ends_with(".toml") ? describe_deck_file(a, ranks)
                                                : describe_file(a.subject));
  }
  return int(ExitCode::done);
}

}  // namespace partita
