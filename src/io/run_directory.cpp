#include "io/run_directory.hpp"

#include "io/together.hpp"

namespace partita {
namespace fs = std::filesystem;

void RunDirectory::create(Communicator const& ranks) const {
  on_root(ranks, [&] {
    for (Path const& folder : {root_, checkpoints(), samples(), estimates()}) {
      std::error_code error;
      fs::create_directories(folder, error);
      // create_directories says nothing of a file in the way of the last component.
      if (!error && !fs::is_directory(folder)) error = std::make_error_code(std::errc::not_a_directory);
      require(!error, ExitCode::storage, "cannot make the run directory {} ({}), choose another run.output", folder.string(),
              storage_reason(folder, error.value()));
    }
  });
}

bool RunDirectory::has_run(Communicator const& ranks) const {
  std::error_code absent;
  return ranks.any(ranks.is_root() && fs::exists(deck(), absent));
}

void RunDirectory::remove_unfinished(Communicator const& ranks) const {
  on_root(ranks, [&] {
    for (Path const& folder : {root_, checkpoints(), samples(), estimates()}) remove_temporaries(folder);
  });
}

}  // namespace partita
