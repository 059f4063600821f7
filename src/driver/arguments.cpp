#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "core/build_info.hpp"
#include "core/log.hpp"
#include "core/require.hpp"
#include "driver/commands.hpp"

namespace partita {

void require_same_start(int argc, char** argv, Communicator const& ranks) {
  std::string arguments;
  for (int i = 1; i < argc; i++) arguments += fmt::format("{}'{}'", i > 1 ? " " : "", argv[i]);
  auto const all = ranks.all_gather(arguments), programs = ranks.all_gather(code_version() + ", " + machine_identity());
  for (std::size_t r = 1; r < all.size(); r++) {
    require_all(all[r] == all[0], ExitCode::usage,
                "rank {} was started with {} and rank 0 with {}; start all ranks with the same arguments", r,
                all[r].empty() ? "nothing" : all[r], all[0].empty() ? "nothing" : all[0]);
    require_all(programs[r] == programs[0], ExitCode::usage,
                "rank {} runs {} and rank 0 runs {}; start the same program on machines of one kind (DNNL_MAX_CPU_ISA fixes oneDNN's "
                "instruction set)",
                r, programs[r], programs[0]);
  }
}

namespace {

// A count on the command line; CLI11's own message would show the bounds as floating-point numbers.
CLI::Validator count_up_to(Index most, std::string const& what) {
  auto const reason_against = [=](std::string const& text) {
    Index n = 0;
    char const* const end = text.data() + text.size();
    auto const [last, error] = std::from_chars(text.data(), end, n);
    bool const fits = error == std::errc{} && last == end && n >= 1 && n <= most;
    return fits ? std::string() : fmt::format("must be {}, a whole number from 1 to {}, not {}", what, most, text);
  };
  return {reason_against, fmt::format("1 to {}", most)};
}

}  // namespace

Arguments parse_arguments(int argc, char** argv, Output output) {
  Arguments a;
  std::string restart;
  CLI::App app{"Partita trains and samples energy-based models p(x) = exp(-E(x)) / Z."};
  app.require_subcommand(1);
  app.set_version_flag("--version", version() + "\n" + build_configuration());

  auto const deck = [&](CLI::App* c) {
    c->add_option("deck", a.deck, "deck file (TOML)")->required();
    c->add_option("--set", a.overrides, "section.key=value, overrides the deck; repeatable")->allow_extra_args(false);
  };
  CLI::App* run = app.add_subcommand("run", "run a deck");
  deck(run);
  run->add_option(
      "--restart", restart,
      "auto: continue from the newest valid checkpoint, if any, else start | required: fail if there is none | a checkpoint file");
  run->add_option("--walltime", a.walltime, "stop with a checkpoint before this much time, \"30min\"");
  run->add_flag("--overwrite", a.overwrite, "start anew in a directory that holds a run: its files are removed");
  run->add_flag("--allow-different-machine", a.allow_different_machine,
                "restart although the instruction set or GPU differs: results will differ in their last digits");
  CLI::App* check = app.add_subcommand("check", "find everything that a run would refuse; print the resolved deck, its memory and cost");
  deck(check);
  check->add_flag("--without-files", a.without_files, "check the deck alone, where the data and runs that it names do not exist yet");
  check->add_option("--ranks", a.ranks, "number of MPI ranks over which the memory is divided")
      ->check(count_up_to(1000000, "the number of MPI ranks of the run"));
  app.add_subcommand("reference", "the reference deck: every key with default, unit, range and meaning");
  app.add_subcommand("list", "models, samplers, objectives, optimizers, estimators")->add_option("kind", a.subject, "one of them");
  CLI::App* info = app.add_subcommand("info", "what a file of a run contains, or with --output the output directory of a deck");
  info->add_option("file", a.subject, "HDF5 file, run directory or deck")->required();
  info->add_flag("--output", a.output_only, "print the output directory of this deck");
  info->add_option("--set", a.overrides, "section.key=value")->allow_extra_args(false);

  auto const known = app.get_subcommands([](CLI::App*) { return true; });
  bool const named = argc > 1 && argv[1][0] != '-';
  require_all(!named || std::any_of(known.begin(), known.end(), [&](CLI::App* c) { return c->get_name() == argv[1]; }), ExitCode::usage,
              "unknown command '{}'; use run, check, reference, list or info (partita --help)", named ? argv[1] : "");
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& e) {
    if (e.get_exit_code() == 0) {  // --help, --version
      if (output == Output::shown) app.exit(e);
      return a;
    }
    fail(ExitCode::usage, fmt::format("{}; see 'partita --help'", e.what()), FailedOn::all_ranks);
  }
  a.command = app.get_subcommands().front()->get_name();
  if (restart == "auto") a.restart = Restart::automatic;
  else if (restart == "required") a.restart = Restart::required;
  else if (!restart.empty()) a.restart = Restart::from_file, a.restart_file = restart;
  require_all(!a.overwrite || a.restart == Restart::never, ExitCode::usage, "--overwrite and --restart contradict each other; give one");
  return a;
}

}  // namespace partita
