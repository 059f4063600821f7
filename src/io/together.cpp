#include "io/together.hpp"

namespace partita {

void agree(Communicator const& ranks, std::optional<Failure> const& mine, Communicator::Place at) {
  if (ranks.all(!mine, at)) return;
  auto const met = mine ? mine->location() : at;
  std::vector<std::string> const reports = ranks.all_gather(mine ? fmt::format("{} {}", int(mine->code()), mine->what()) : "", at);
  for (std::size_t rank = 0; rank < reports.size(); rank++) {
    if (reports[rank].empty()) continue;
    std::size_t const space = reports[rank].find(' ');
    std::string const message = reports[rank].substr(space + 1);
    auto const code = static_cast<ExitCode>(std::stoi(reports[rank].substr(0, space)));
    fail(code, rank == 0 ? message : fmt::format("{} [met by rank {}]", message, rank), FailedOn::all_ranks, met);
  }
}

}  // namespace partita
