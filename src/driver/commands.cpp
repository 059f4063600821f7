#include "driver/commands.hpp"

#include <cstdio>

#include "core/log.hpp"
#include "core/require.hpp"
#include "driver/info.hpp"
#include "driver/registry.hpp"
#include "driver/run.hpp"
#include "driver/task.hpp"

namespace partita {
namespace {

void print(Communicator const& ranks, std::string const& text) {
  if (ranks.is_root()) std::fputs(text.c_str(), stdout);
}

deck::Document read(Arguments const& a, std::string const& file) { return read_deck(deck::load(file), file, a.overrides); }

}  // namespace

int execute(Arguments const& a, Communicator const& ranks) {
  if (a.command == "run") return run(a, ranks);
  if (a.command == "check") {
    auto const document = read(a, a.deck);
    for (auto const& w : document.warnings) log::warning("{}: {}", deck::to_string(w.at), w.text);
    print(ranks, deck::resolved(document) + "\n# memory, over all " + std::to_string(ranks.ranks()) + " rank(s)\n" +
                     memory_estimate(document, ranks));
  } else if (a.command == "reference") {
    print(ranks, deck::reference(catalogue()));
  } else if (a.command == "list") {
    print(ranks, list(a.subject));
  } else if (a.command == "info") {
    print(ranks, a.output_only ? read(a, a.subject).at("run").as<RunOptions>().output + "\n" : describe_file(a.subject));
  }
  return static_cast<int>(ExitCode::done);
}

}  // namespace partita
