#include "io/run_status.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/require.hpp"
#include "io/crc32c.hpp"
#include "io/run_lock.hpp"

namespace partita {
namespace fs = std::filesystem;
namespace {

std::string host_name() {
  char host[256] = "unknown";
  ::gethostname(host, sizeof host - 1);
  return host;
}

// Field 22 of /proc/PID/stat; field 2, in parentheses, may contain any character. 0: no such process, or no /proc.
Index start_of(Index process) {
  std::string text;
  try {
    text = read_text(fmt::format("/proc/{}/stat", process));
  } catch (Failure const&) {
    return 0;
  }
  std::size_t at = text.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; field++) at = text.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtoll(text.c_str() + at, nullptr, 10);
}

// Whether the lock file, which its holder touches at every heartbeat, was touched lately.
bool beats(RunDirectory const& run) {
  constexpr auto longest_silence = std::chrono::minutes(2);  // many heartbeats: clocks differ, and file systems may show times late
  for (Path const& file : {run.lock(), run.alive()}) {
    std::error_code absent;
    auto const touched = fs::last_write_time(file, absent);
    if (!absent && fs::file_time_type::clock::now() - touched < longest_silence) return true;
  }
  return false;
}

bool lives(RunDirectory const& run, ProcessIdentity const& p) {
  if (RunLock::is_held(run)) return true;
  return p.host == host_name() && p.start != 0 ? start_of(p.process) == p.start : beats(run);
}

}  // namespace

ProcessIdentity ProcessIdentity::of_this_process() {
  char date[32] = "";
  std::time_t const now = std::time(nullptr);
  std::tm local{};
  std::strftime(date, sizeof date, "%FT%T%z", ::localtime_r(&now, &local));
  return {host_name(), ::getpid(), start_of(::getpid()), date};
}

Json RunStatus::json() const {
  return Json::Object{{"status", status},
                      {"exit_code", exit_code ? Json(*exit_code) : Json{}},
                      {"reason", reason},
                      {"step", step ? Json(*step) : Json{}},
                      {"host", process.host},
                      {"process", process.process},
                      {"process_start", process.start},
                      {"started", process.started},
                      {"deck_hash", deck_hash},
                      {"fork_of", fork_of}};
}

std::string hash_of_deck(std::string const& text) { return fmt::format("{:08x}", crc32c(text.data(), text.size())); }

std::optional<RunStatus> read_status(RunDirectory const& run) {
  std::error_code absent;
  if (!fs::exists(run.status(), absent)) return {};
  try {
    auto const json = nlohmann::json::parse(read_text(run.status()));
    RunStatus s;
    s.status = json.at("status").get<std::string>();
    s.reason = json.at("reason").get<std::string>();
    s.deck_hash = json.value("deck_hash", "");
    s.fork_of = json.value("fork_of", "");
    if (json.at("exit_code").is_number_integer()) s.exit_code = json.at("exit_code").get<int>();
    if (json.contains("step") && json.at("step").is_number_integer()) s.step = json.at("step").get<Index>();
    s.process = {json.value("host", ""), json.value("process", Index{0}), json.value("process_start", Index{0}), json.value("started", "")};
    return s;
  } catch (nlohmann::json::exception const& e) {
    log::warning("{} is not a run's status ({}): how that run ended is unknown", run.status().string(), e.what());
  } catch (Failure const& e) {
    log::warning("{}: how that run ended is unknown", e.what());
  }
  return {};
}

std::optional<RunStatus> true_status(RunDirectory const& run) {
  auto s = read_status(run);
  if (s && s->status == "running" && !lives(run, s->process)) {
    s->status = "died";
    s->exit_code = {};
    s->reason =
        fmt::format("process {} on host {} ended without recording why; continue with --restart auto", s->process.process, s->process.host);
  }
  return s;
}

void write_status(RunDirectory const& run, RunStatus const& status) { write_atomically(run.status(), status.json().text()); }

}  // namespace partita
