// Messages for people: rank 0 to standard output and to run.log, warnings also to standard error. Where run.log cannot be written any more
// the run fails with ExitCode::storage; only error_line never throws.
#pragma once
#include <fmt/format.h>

#include <string>

namespace partita::log {

// Called once by the environment; until then this process counts as rank 0.
void set_rank(int rank, int ranks);
// Everything logged from now on is also appended to this file (rank 0); closed by an empty path.
void open_file(std::string const& path);

void line(std::string const& text);          // rank 0
void warning_line(std::string const& text);  // rank 0, "warning: ..."
void error_line(std::string const& text);    // any rank, prefixed with its number where there are several, to standard error
// Overwrites the last progress line on a terminal; writes a line of its own into run.log and into a redirected output.
void progress_line(std::string const& text);
bool on_terminal();

template <class... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  line(fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
  warning_line(fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  error_line(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace partita::log
