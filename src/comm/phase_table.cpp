#include "comm/phase_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace partita {
namespace {

// The phases of all ranks: rank 0's in its order, then those that occur only on other ranks.
std::vector<std::string> names_on_all(std::vector<Timers::Phase> const& mine, Communicator const& ranks) {
  std::string my_names;
  for (Timers::Phase const& p : mine) my_names += p.name + '\n';
  std::vector<std::string> names;
  for (std::string const& lines : ranks.all_gather(my_names))
    for (std::size_t at = 0; at < lines.size();) {
      std::size_t const end = lines.find('\n', at);
      std::string name = lines.substr(at, end - at);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
      at = end + 1;
    }
  std::rotate(names.begin(), names.begin() + 1, names.end());  // time outside of all phases
  return names;
}

}  // namespace

PhaseTable phase_table(Timers& timers, Communicator const& ranks) {
  std::vector<Timers::Phase> const mine = timers.phases();
  std::vector<std::string> const names = names_on_all(mine, ranks);
  std::vector<double> sum, minimum;
  std::vector<Index> calls;
  for (std::string const& name : names) {
    auto const p = std::find_if(mine.begin(), mine.end(), [&](Timers::Phase const& q) { return q.name == name; });
    sum.push_back(p == mine.end() ? 0 : p->seconds);
    calls.push_back(p == mine.end() ? 0 : p->calls);
  }
  double my_wall = 0;
  for (double seconds : sum) my_wall += seconds;
  std::vector<double> maximum = minimum = sum;
  ranks.all_reduce(sum, Reduction::sum);
  ranks.all_reduce(minimum, Reduction::minimum);
  ranks.all_reduce(maximum, Reduction::maximum);
  ranks.all_reduce(calls, Reduction::maximum);
  double const all_wall = ranks.all_reduce(my_wall, Reduction::sum);

  PhaseTable table;
  for (std::size_t i = 0; i < names.size(); i++)
    table.phases.push_back({names[i], calls[i], minimum[i], sum[i] / ranks.ranks(), maximum[i], sum[i] / all_wall});
  table.wall_seconds = ranks.all_reduce(my_wall, Reduction::maximum);
  return table;
}

std::string PhaseTable::text() const {
  std::size_t width = 5;
  for (PhaseTimes const& p : phases) width = std::max(width, p.name.size());
  std::string text = fmt::format("{:<{}} {:>9} {:>11} {:>11} {:>11} {:>7}\n", "phase", width, "calls", "min s", "mean s", "max s", "share");
  for (PhaseTimes const& p : phases)
    text += fmt::format("{:<{}} {:>9} {:>11.3f} {:>11.3f} {:>11.3f} {:>6.1f}%\n", p.name, width, p.calls, p.minimum, p.mean, p.maximum,
                        100 * p.share);
  return text + fmt::format("{:<{}} {:>9} {:>11} {:>11} {:>11.3f} {:>6.1f}%", "wall", width, "", "", "", wall_seconds, 100.0);
}

}  // namespace partita
