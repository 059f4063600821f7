#include "io/inputs.hpp"

#include <algorithm>
#include <sstream>

#include "core/log.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

constexpr char none[] = "nothing";

}  // namespace

void Inputs::add(std::string const& role, std::string const& source, std::uint64_t hash) {
  std::string one_line = source;
  std::replace(one_line.begin(), one_line.end(), '\n', ' ');
  std::erase_if(inputs_, [&](Input const& earlier) { return earlier.role == role; });  // after a rollback they are read again
  inputs_.push_back({role, one_line, fmt::format("{:016x}", hash)});
}

std::vector<std::string> Inputs::sources() const {
  std::vector<std::string> out;
  for (Input const& i : inputs_) out.push_back(fmt::format("{}: {}", i.role, i.source));
  return out;
}

std::string Inputs::text() const {
  std::string out;
  for (Input const& i : inputs_) out += fmt::format("{} {} {}\n", i.hash, i.role, i.source);
  return out;
}

std::vector<Inputs::Input> Inputs::parse(std::string const& text) {
  std::vector<Input> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    Input input;
    std::istringstream words(line);
    words >> input.hash >> input.role >> std::ws;
    std::getline(words, input.source);
    out.push_back(std::move(input));
  }
  return out;
}

void Inputs::require_same(std::string const& before, std::string const& checkpoint) const {
  auto const earlier = parse(before);
  auto const of = [](std::vector<Input> const& all, std::string const& role) {
    auto const found = std::find_if(all.begin(), all.end(), [&](Input const& i) { return i.role == role; });
    return found == all.end() ? Input{role, none, none} : *found;
  };
  std::vector<std::string> roles;
  for (auto const* all : {&earlier, &inputs_})
    for (Input const& i : *all)
      if (std::find(roles.begin(), roles.end(), i.role) == roles.end()) roles.push_back(i.role);
  std::string changes;
  for (std::string const& role : roles) {
    Input const was = of(earlier, role), is = of(inputs_, role);
    if (was.hash != is.hash)
      changes += fmt::format("\n  {}: now {} (contents {}), before {} (contents {})", role, is.source, is.hash, was.source, was.hash);
  }
  require_all(changes.empty(), ExitCode::data,
              "the inputs of this run are not those with which it began, according to {}:{}\nA run continues with the inputs with which it "
              "began, under any name: restore these. To use others, start a new run in another run.output; its model.from may name the "
              "parameters that this one has learnt",
              checkpoint, changes);
}

}  // namespace partita
