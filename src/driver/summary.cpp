#include "driver/summary.hpp"

#include <algorithm>
#include <cmath>

#include "comm/phase_table.hpp"
#include "core/build_info.hpp"
#include "core/log.hpp"
#include "core/matrix_product.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

constexpr double few_degrees_of_freedom = 30;  // with fewer, Student's quantiles differ from the normal ones by 4 % or more

Json metrics_json(std::vector<Metric> const& metrics) {
  auto const number = [](double x) { return std::isfinite(x) ? Json(x) : Json{}; };
  Json::Object out;
  for (Metric const& m : metrics) {
    out.emplace_back(m.name, number(m.value));
    if (m.error) out.emplace_back(m.name + "_error", number(*m.error));
    if (m.error && m.degrees_of_freedom < few_degrees_of_freedom)
      out.emplace_back(m.name + "_error_degrees_of_freedom", m.degrees_of_freedom);
  }
  return out;
}

Json phases_json(PhaseTable const& table) {
  Json::Array out;
  for (auto const& p : table.phases)
    out.emplace_back(
        Json::Object{{"name", p.name}, {"calls", p.calls}, {"min", p.minimum}, {"mean", p.mean}, {"max", p.maximum}, {"share", p.share}});
  return out;
}

void log_metrics(std::vector<Metric> const& metrics) {
  auto const number = [](double x, int digits) { return std::isnan(x) ? "unknown" : fmt::format("{:.{}g}", x, digits); };
  for (Metric const& m : metrics) {
    bool const few = m.error && std::isfinite(*m.error) && m.degrees_of_freedom < few_degrees_of_freedom;
    log::info("  {:<34} {:>14} {} {:<10} {}{}", m.name, number(m.value, 7), m.error ? "+-" : "  ", m.error ? number(*m.error, 3) : "",
              m.definition, few ? fmt::format(" ({:.0f} degrees of freedom)", m.degrees_of_freedom) : "");
  }
}

// The verdict: everything that is known to be wrong with the results; first warnings about the run as a whole.
std::vector<std::string> warnings(Results const& results) {
  std::vector<std::string> all = results.warnings;
  for (Metric const& m : results.metrics)
    if (!m.warning.empty()) all.push_back(m.name + ": " + m.warning);
  return all;
}

void log_verdict(bool has_metrics, std::vector<std::string> const& warnings, std::vector<std::string> const& not_examined) {
  if (warnings.empty() && !has_metrics)
    log::info("\nverdict: nothing was found wrong, but there are no metrics; add an [[estimator]] for some");
  else if (warnings.empty()) log::info("\nverdict: nothing was found wrong with these results");
  else log::info("\nverdict: {} warning{}", warnings.size(), warnings.size() > 1 ? "s" : "");
  for (std::string const& w : warnings) log::warning("{}", w);
  for (std::string const& n : not_examined) log::info("not examined: {}", n);
}

}  // namespace

void summarise(RunContext const& c, std::string const& status, Index step, double chain_steps, Results const& results) {
  std::vector<Metric> const& metrics = results.metrics;
  PhaseTable const table = phase_table(c.timers, c.ranks);
  double const flops = c.ranks.all_reduce(matrix_product_flops(), Reduction::sum);
  double const seconds = std::max(table.wall_seconds, 1e-9);
  log::info("\n{}", table.text());
  if (!Timers::waits_for_device())
    log::info(
        "the device's work counts in the phase that waits for it; with PARTITA_WAIT_FOR_PHASES=1 in the environment each phase waits");
  if (chain_steps > 0)
    log::info("{:.4g} chain-steps/s on {} rank{}, {:.3g} GFLOP/s in matrix products", chain_steps / seconds, c.ranks.ranks(),
              c.ranks.ranks() > 1 ? "s" : "", flops / seconds * 1e-9);
  if (!metrics.empty()) {
    log::info("\nmetrics");
    log_metrics(metrics);
  }
  auto const found = warnings(results);
  if (status == "done") log_verdict(!metrics.empty(), found, results.not_examined);
  Json::Object definitions;
  for (Metric const& m : metrics) definitions.emplace_back(m.name, m.definition);
  on_root(c.ranks, [&] {
    c.directory.write_summary(Json::Object{{"status", status},
                                           {"task", c.options.task},
                                           {"title", c.deck.title},
                                           {"steps", step},
                                           {"ranks", c.ranks.ranks()},
                                           {"wall_seconds", table.wall_seconds},
                                           {"chain_steps_per_second", chain_steps / seconds},
                                           {"gflops", flops / seconds * 1e-9},
                                           {"code_version", c.provenance.code_version},
                                           {"machine", machine_identity()},
                                           {"phases", phases_json(table)},
                                           {"metrics", metrics_json(metrics)},
                                           {"definitions", definitions},
                                           {"warnings", Json::Array(found.begin(), found.end())},
                                           {"not_examined", Json::Array(results.not_examined.begin(), results.not_examined.end())}});
  });
}

}  // namespace partita
