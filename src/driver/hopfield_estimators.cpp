// Estimators of Hopfield networks: how many patterns they store, and how well they retrieve them.
#include <algorithm>
#include <cmath>

#include "driver/estimator.hpp"
#include "estimators/hopfield.hpp"

namespace partita {
namespace {

using Metrics = std::vector<Metric>;

struct CapacityOptions {
  Index units = 3000;
  std::vector<double> loads = {0.13, 0.138};
  Index networks = 5;
  Index sweeps = 50;
  std::vector<Index> report_sweeps;
};
struct RetrievalKeys {
  std::vector<double> beta = {1};
  Index queries = 10000;
  double noise = 0.5;
  double tolerance = 0.1;
};

Communicator const& ranks_of(Subject const& s) { return s.evaluation.context.ranks; }

// Writes (series, number): the numbers of this name for each series.
void write_table(hdf5::File const& file, std::string const& name, std::vector<std::vector<double>> const& series) {
  std::vector<double> all;
  for (auto const& row : series) all.insert(all.end(), row.begin(), row.end());
  file.create_dataset(name, hdf5::native_type<double>(), {static_cast<Index>(series.size()), static_cast<Index>(series.front().size())})
      .write(all);
}

// ---- Capacity ----

Index patterns_of(double load, CapacityOptions const& o) { return std::lround(load * static_cast<double>(o.units)); }

void has_patterns_to_store(Fit const& fit) {
  auto const o = fit.own.as<CapacityOptions>();
  for (double load : o.loads)
    if (patterns_of(load, o) == 0)
      fit.refuse("loads",
                 fmt::format("estimator.loads: a load of {} with {} units is less than one pattern; use a larger load, or more units", load,
                             o.units));
}

Metrics capacity(Subject const& s, deck::Block const& block) {
  auto const o = block.as<CapacityOptions>();
  std::vector<Index> reported{o.sweeps};
  reported.insert(reported.end(), o.report_sweeps.begin(), o.report_sweeps.end());
  std::vector<Index> patterns;
  std::vector<std::vector<double>> overlaps, errors;
  Metrics out;
  for (double load : o.loads) {
    patterns.push_back(patterns_of(load, o));
    Index const networks_before = o.networks * static_cast<Index>(overlaps.size());
    auto const found = recall_overlaps({.units = o.units,
                                        .patterns = patterns.back(),
                                        .networks = o.networks,
                                        .sweeps = *std::max_element(reported.begin(), reported.end())},
                                       s.evaluation.context.key, networks_before, ranks_of(s));
    overlaps.emplace_back(), errors.emplace_back();
    for (Estimate const& e : found) overlaps.back().push_back(e.value), errors.back().push_back(e.error);
    for (Index sweeps : reported) {
      Estimate const& e = found[static_cast<std::size_t>(sweeps)];
      std::string const after = sweeps == o.sweeps ? "" : fmt::format("_after_{}_sweeps", sweeps);
      out.push_back(
          {fmt::format("overlap_load_{:.3f}{}", load, after),
           e.value,
           {},
           fmt::format("overlap with the stored pattern after {} parallel sweeps at T = 0 from it, mean over all {} patterns of {} "
                       "networks; error over networks",
                       sweeps, patterns.back(), o.networks)});
      if (o.networks > 1) out.back().error = e.error;
    }
  }
  write_estimate(s, "hopfield_capacity", [&](hdf5::File const& file) {
    file.set_attribute("units", o.units);
    file.set_attribute("networks", o.networks);
    file.write("load", o.loads);
    file.write("patterns", patterns);
    write_table(file, "overlap", overlaps);
    write_table(file, "overlap_error", errors);
  });
  return out;
}

// ---- Retrieval ----

Metrics retrieval(Subject const& s, deck::Block const& block) {
  auto const o = block.as<RetrievalKeys>();
  auto* const model = &as<ModernHopfield>(*s.evaluation.model);
  Index const queries = o.queries > 0 ? o.queries : model->patterns();
  std::vector<std::vector<double>> overlaps, distances;
  Metrics out;
  for (double beta : o.beta) {
    auto found = retrieve(*model, {.beta = beta, .queries = queries, .noise = o.noise}, s.evaluation.context.key, ranks_of(s));
    auto const near = std::count_if(found.distance.begin(), found.distance.end(), [&](double d) { return d < o.tolerance; });
    auto const report = [&](char const* what, Estimate const& e, std::string const& meaning) {
      out.push_back(
          metric(fmt::format("{}_beta_{:g}", what, beta), e,
                 fmt::format("{} after one update from noise {}, over {} of {} patterns", meaning, o.noise, queries, model->patterns())));
    };
    report("retrieved", share_and_error(static_cast<double>(near), static_cast<double>(found.distance.size())),
           fmt::format("share of results within {} |pattern| of the pattern", o.tolerance));
    report("overlap", mean_and_error(found.overlap), "mean cosine between result and pattern");
    report("distance", mean_and_error(found.distance), "mean |result - pattern| / |pattern|");
    overlaps.push_back(std::move(found.overlap)), distances.push_back(std::move(found.distance));
  }
  write_estimate(s, "modern_retrieval", [&](hdf5::File const& file) {
    file.set_attribute("patterns", model->patterns());
    file.set_attribute("noise", o.noise);
    file.write("beta", o.beta);
    write_table(file, "overlap", overlaps);
    write_table(file, "distance", distances);
  });
  return out;
}

}  // namespace

std::vector<EstimatorEntry> hopfield_estimators() {
  using C = CapacityOptions;
  using R = RetrievalKeys;
  return {
      {deck::schema<C>("hopfield_capacity",
                       "overlap with a stored pattern that binary Hopfield networks of random patterns keep, load by load, sweep by sweep: "
                       "estimates/hopfield_capacity.h5; it needs no [model]",
                       {deck::key("units", &C::units, "number N of units of each network").at_least(2),
                        deck::key("loads", &C::loads, "loads P / N, the number of patterns over that of units").above(0),
                        deck::key("networks", &C::networks, "number of independent networks of each load").at_least(1),
                        deck::key("sweeps", &C::sweeps, "parallel sweeps at T = 0 before the overlap is reported").at_least(1),
                        deck::key("report_sweeps", &C::report_sweeps, "other numbers of sweeps after which the overlap is reported, too")
                            .at_least(1)
                            .formerly("also_after")}),
       capacity,
       LooksAt::model_or_data,
       {},
       false,
       has_patterns_to_store},
      {deck::schema<R>(
           "modern_retrieval", "what a modern_hopfield makes of noisy patterns in one update: estimates/modern_retrieval.h5",
           {deck::key("beta", &R::beta, "values of beta, in place of model.beta").above(0),
            deck::key("queries", &R::queries, "number of patterns shown, from the first on; 0: all").at_least(0),
            deck::key("noise", &R::noise, "standard deviation of the noise on each coordinate").at_least(0),
            deck::key("tolerance", &R::tolerance, "distance from the pattern, in units of |pattern|, below which it counts as retrieved")
                .above(0)
                .formerly("within")}),
       retrieval, LooksAt::model_or_data, needs<ModernHopfield>()},
  };
}

}  // namespace partita
