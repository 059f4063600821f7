#include "comm/collectives.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace partita {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

std::string source_path(std::string_view file) {
  for (std::string_view const folder : {"/src/", "/tests/"})
    if (std::size_t const at = file.rfind(folder); at != std::string_view::npos) return std::string(file.substr(at + 1));
  return std::string(file);
}

std::string CollectiveCall::text() const {
  std::vector<std::string> facts;
  if (!reduction.empty()) facts.emplace_back(reduction);
  if (!type.empty()) facts.push_back(count < 0 ? std::string(type) : fmt::format("{} {}", count, type));
  if (root >= 0) facts.push_back(fmt::format("root {}", root));
  return fmt::format("{}{} at {}:{}:{}", operation, facts.empty() ? "" : fmt::format("({})", fmt::join(facts, ", ")),
                     source_path(at.file_name()), at.line(), at.column());
}

CollectiveRecord& CollectiveRecord::of_process() {
  static CollectiveRecord record;
  return record;
}

void CollectiveRecord::enter(CollectiveCall const& call) {
  double const begun = now();
  std::lock_guard const guard(mutex_);
  ring_[std::size_t(number_) % length] = {call, begun};
  number_++;
  waiting_ = true;
}
void CollectiveRecord::leave() {
  std::lock_guard const guard(mutex_);
  waiting_ = false;
}

CollectiveRecord::Current CollectiveRecord::current() const {
  std::lock_guard const guard(mutex_);
  if (number_ == 0) return {};
  return {number_, waiting_, ring_[std::size_t(number_ - 1) % length].call};
}

std::vector<std::string> CollectiveRecord::last() const {
  double const at = now();
  std::lock_guard const guard(mutex_);
  std::vector<std::string> lines;
  for (Index n = number_ - 1; n >= 0 && n >= number_ - Index(length); n--) {
    Entry const& e = ring_[std::size_t(n) % length];
    lines.push_back(fmt::format("{} {}, {:.1f} s ago", n + 1, e.call.text(), at - e.begun));
  }
  return lines;
}

}  // namespace partita
