#include "estimators/finished.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "io/run_status.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

using nlohmann::json;

// Keeps all bits, and values for which JSON has no number: NaN and infinities.
std::string exact(double x) { return fmt::format("{:a}", x); }
double number(json const& text) { return std::strtod(text.get<std::string>().c_str(), nullptr); }

json written(Metric const& m) {
  json out{{"name", m.name}, {"value", exact(m.value)}, {"definition", m.definition}, {"warning", m.warning}};
  out["degrees_of_freedom"] = exact(m.degrees_of_freedom);
  if (m.error) out["error"] = exact(*m.error);
  return out;
}
Metric read(json const& from) {
  Metric m{from.at("name").get<std::string>(),
           number(from.at("value")),
           {},
           from.at("definition").get<std::string>(),
           from.at("warning").get<std::string>(),
           number(from.at("degrees_of_freedom"))};
  if (from.contains("error")) m.error = number(from.at("error"));
  return m;
}

// Of the keys that are free on restart, lengths of a run change its results; those of these sections do not.
std::string result_relevant_deck(deck::Document const& deck) {
  std::string text;
  for (deck::Block const& b : deck.blocks) {
    bool const of_the_directory = b.section == "run" || b.section == "output" || b.section == "checkpoint";
    if (b.section != "estimator") text += deck::resolved(b, of_the_directory ? deck::Keys::fixed_on_restart : deck::Keys::all);
  }
  return text;
}

}  // namespace

FinishedEstimators::FinishedEstimators(Communicator ranks, RunDirectory const& directory, deck::Document const& deck, Inputs const& inputs,
                                       Provenance const& provenance)
    : ranks_(std::move(ranks)),
      file_(directory.finished_estimators()),
      of_(hash_of_deck(result_relevant_deck(deck) + inputs.text() + provenance.code_version)) {
  std::string text;
  on_root(ranks_, [&] {
    if (std::filesystem::exists(file_)) text = read_text(file_);
  });
  ranks_.broadcast(text);
  if (text.empty()) return;
  try {
    json const all = json::parse(text);
    if (all.at("of") != of_) return;
    for (json const& one : all.at("estimators")) {
      Finished f{one.at("estimator").get<std::string>(), {}};
      for (json const& m : one.at("metrics")) f.metrics.push_back(read(m));
      finished_.push_back(std::move(f));
    }
  } catch (json::exception const& e) {
    log::warning("{} cannot be read ({}): its estimators are run again", file_.string(), e.what());
    finished_.clear();
  }
}

std::optional<std::vector<Metric>> FinishedEstimators::find(deck::Block const& block) const {
  std::string const section = deck::resolved(block, deck::Keys::all);
  auto const at = std::find_if(finished_.begin(), finished_.end(), [&](Finished const& f) { return f.estimator == section; });
  return at == finished_.end() ? std::nullopt : std::optional(at->metrics);
}

void FinishedEstimators::add(deck::Block const& block, std::vector<Metric> const& metrics) {
  finished_.push_back({deck::resolved(block, deck::Keys::all), metrics});
  on_root(ranks_, [&] {
    json all{{"of", of_}, {"estimators", json::array()}};
    for (Finished const& f : finished_) {
      json of_one = json::array();
      for (Metric const& m : f.metrics) of_one.push_back(written(m));
      all["estimators"].push_back({{"estimator", f.estimator}, {"metrics", of_one}});
    }
    write_atomically(file_, all.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
  });
}

}  // namespace partita
