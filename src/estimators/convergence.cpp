#include "estimators/convergence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>

#include "estimators/entry.hpp"
#include "models/gibbs_model.hpp"

namespace partita {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double at(ChainSeries const& s, Index chain, Index draw) { return s.values[chain * s.draws + draw]; }

bool constant(std::vector<double> const& values) {
  return std::all_of(values.begin(), values.end(), [&](double v) { return v == values.front(); });
}

// Splits each chain into two halves; the middle draw of an odd number is left out.
ChainSeries split(ChainSeries const& s) {
  Index const half = s.draws / 2;
  ChainSeries out{2 * s.chains, half, {}};
  for (Index c = 0; c < s.chains; c++)
    for (Index start : {Index{0}, s.draws - half})
      for (Index d = 0; d < half; d++) out.values.push_back(at(s, c, start + d));
  return out;
}

// Normal scores of the fractional ranks (r - 3/8) / (n + 1/4), ties sharing their mean rank (Blom 1958).
ChainSeries rank_normalised(ChainSeries s) {
  std::vector<std::size_t> order(s.values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return s.values[a] < s.values[b]; });
  std::vector<double> scores(order.size());
  double const n = double(order.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && s.values[order[last + 1]] == s.values[order[first]]) last++;
    double const rank = 1 + 0.5 * double(first + last), score = normal_quantile((rank - 0.375) / (n + 0.25));
    for (std::size_t k = first; k <= last; k++) scores[order[k]] = score;
    first = last + 1;
  }
  s.values = std::move(scores);
  return s;
}

double chain_mean(ChainSeries const& s, Index c) {
  double sum = 0;
  for (Index d = 0; d < s.draws; d++) sum += at(s, c, d);
  return sum / double(s.draws);
}

double variance(std::vector<double> const& v) {  // unbiased
  double const mean = std::accumulate(v.begin(), v.end(), 0.) / double(v.size());
  double sum = 0;
  for (double x : v) sum += (x - mean) * (x - mean);
  return sum / double(v.size() - 1);
}

double rhat(ChainSeries const& s) {  // Gelman and Rubin 1992
  std::vector<double> means, variances;
  for (Index c = 0; c < s.chains; c++) {
    means.push_back(chain_mean(s, c));
    auto const begin = s.values.begin() + c * s.draws;
    variances.push_back(variance({begin, begin + s.draws}));
  }
  double const n = double(s.draws), between = n * variance(means),
               within = std::accumulate(variances.begin(), variances.end(), 0.) / double(s.chains);
  return std::sqrt((between / within + n - 1) / n);
}

// Effective sample size of the mean by Geyer's initial monotone sequence on the autocorrelation combined over chains.
double ess(ChainSeries const& s) {
  Index const n = s.draws;
  double const draws = double(n), chains = double(s.chains);
  std::vector<double> means;
  for (Index c = 0; c < s.chains; c++) means.push_back(chain_mean(s, c));
  auto const autocovariance = [&](Index lag) {  // mean over chains
    double sum = 0;
    for (Index c = 0; c < s.chains; c++)
      for (Index d = 0; d + lag < n; d++) sum += (at(s, c, d) - means[c]) * (at(s, c, d + lag) - means[c]);
    return sum / (draws * chains);
  };
  double const within = autocovariance(0) * draws / (draws - 1);
  double const total = within * (draws - 1) / draws + (s.chains > 1 ? variance(means) : 0);
  auto const correlation = [&](Index lag) { return 1 - (within - autocovariance(lag)) / total; };

  std::vector<double> rho(n, 0.);
  double even = 1, odd = correlation(1);
  rho[0] = even, rho[1] = odd;
  Index t = 1;
  for (; t < n - 3 && even + odd > 0; t += 2) {
    even = correlation(t + 1);
    odd = correlation(t + 2);
    if (even + odd >= 0) rho[t + 1] = even, rho[t + 2] = odd;
  }
  // Entries below `kept` are complete pairs; of the pair that ended the search only the even entry counts. kept = 0 if that is the first.
  auto const kept = std::size_t(t - 1);
  if (even > 0) rho[kept] = even;
  for (std::size_t k = 1; k + 2 < kept; k += 2)
    if (rho[k + 1] + rho[k + 2] > rho[k - 1] + rho[k]) rho[k + 1] = rho[k + 2] = 0.5 * (rho[k - 1] + rho[k]);
  double tau = -1 + rho[kept];
  for (std::size_t k = 0; k < kept; k++) tau += 2 * rho[k];
  return chains * draws / std::max(tau, 1 / std::log10(chains * draws));
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return 0.5 * (v[(v.size() - 1) / 2] + v[v.size() / 2]);
}

double quantile(std::vector<double> v, double p) {  // linear between order statistics, as NumPy's default
  std::sort(v.begin(), v.end());
  double const position = p * double(v.size() - 1);
  auto const k = std::size_t(position);
  return k + 1 < v.size() ? v[k] + (position - double(k)) * (v[k + 1] - v[k]) : v.back();
}

double quantile_ess(ChainSeries const& s, double p) {
  double const q = quantile(s.values, p);
  ChainSeries below = s;
  for (double& v : below.values) v = v <= q ? 1 : 0;
  // If one value has more than 1 - p of the draws, the indicator is the same for every draw, and the quantile is known.
  if (constant(below.values)) return double(s.values.size());
  return ess(split(below));
}

bool usable(ChainSeries const& s) { return why_unknown(s).empty(); }

}  // namespace

double normal_quantile(double p) {
  double const tail = std::min(p, 1 - p), u = std::sqrt(-2 * std::log(tail));
  // Hastings' start (Abramowitz and Stegun 26.2.22), then Newton steps on the distribution function.
  double x = -(u - (2.30753 + 0.27061 * u) / (1 + u * (0.99229 + 0.04481 * u)));
  for (int k = 0; k < 3; k++) {
    double const error = 0.5 * std::erfc(-x / std::numbers::sqrt2) - tail;
    double const density = std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi), newton = error / density;
    x -= newton / (1 + 0.5 * x * newton);  // Halley: the density's slope is -x times itself
  }
  return p < 0.5 ? x : -x;
}

// Whether each chain has the same number in all of its draws.
bool nothing_moves(ChainSeries const& s) {
  for (Index c = 0; c < s.chains; c++)
    for (Index d = 1; d < s.draws; d++)
      if (at(s, c, d) != at(s, c, 0)) return false;
  return true;
}

std::string why_unknown(ChainSeries const& s) {
  if (s.draws < 4) return fmt::format("{} draw{} of each chain, fewer than the 4 that are needed", s.draws, s.draws == 1 ? "" : "s");
  if (!std::all_of(s.values.begin(), s.values.end(), [](double v) { return std::isfinite(v); })) return "a draw is not a finite number";
  if (constant(s.values)) return "all draws of all chains are the same number";
  if (nothing_moves(s)) return "no chain moves: each has the same number in all of its draws";
  return "";
}

double split_rhat(ChainSeries const& s) { return usable(s) ? rhat(split(s)) : nan; }

double rank_rhat(ChainSeries const& s) {
  if (!usable(s)) return nan;
  ChainSeries const halves = split(s);
  ChainSeries folded = halves;
  double const centre = median(halves.values);
  for (double& v : folded.values) v = std::abs(v - centre);
  double const location = rhat(rank_normalised(halves));
  if (constant(folded.values)) return location;  // for two values the distances from the median are all equal
  double const scale = rhat(rank_normalised(folded));
  return std::isnan(scale) || scale > location ? scale : location;
}

double effective_sample_size(ChainSeries const& s) { return usable(s) ? ess(split(s)) : nan; }
double bulk_ess(ChainSeries const& s) { return usable(s) ? ess(rank_normalised(split(s))) : nan; }
double tail_ess(ChainSeries const& s) { return usable(s) ? std::min(quantile_ess(s, 0.05), quantile_ess(s, 0.95)) : nan; }

namespace {

struct ConvergenceOptions {
  Index coordinates = 8;
};

// Diagnostics of one monitored quantity: x_i, or the energy.
struct Diagnosis {
  std::string of;
  double rhat, bulk, tail;
  std::string unknown;  // why these are not known; empty: they are
};

// Diagnostics of the energy, where it is known, and of the first `coordinates`; each series is handled by one rank.
std::vector<Diagnosis> diagnose(SampleSet const& s, Index coordinates) {
  Index const first = s.has_energy ? -1 : 0, number = coordinates - first;
  std::vector<double> numbers(3 * number);
  std::vector<Diagnosis> out;
  for (Index i = first; i < coordinates; i++) {  // -1: the energy
    ChainSeries const series{s.tiling.chains, s.draws,
                             gather_series(s, [i](float const* x, double energy) { return i < 0 ? energy : x[i]; })};
    out.push_back({i < 0 ? "the energy" : fmt::format("x_{}", i), 0, 0, 0, why_unknown(series)});
    if ((i - first) % s.ranks.ranks() != s.ranks.rank()) continue;
    double* const of = numbers.data() + 3 * (i - first);
    of[0] = rank_rhat(series), of[1] = bulk_ess(series), of[2] = tail_ess(series);
  }
  s.ranks.all_reduce(numbers, Reduction::sum);  // a number and zeros
  for (std::size_t k = 0; k < out.size(); k++) {
    out[k].rhat = numbers[3 * k], out[k].bulk = numbers[3 * k + 1], out[k].tail = numbers[3 * k + 2];
  }
  return out;
}

constexpr double most_rhat = 1.01, least_ess = 400;  // Vehtari et al. 2021

// The worst value of one diagnostic; an unknown value is worse than any other.
Metric worst(std::string name, std::vector<Diagnosis> const& all, double Diagnosis::*number, bool largest, std::string const& what) {
  Metric m{std::move(name), std::numeric_limits<double>::quiet_NaN(), {}, what + ": nothing is monitored"};
  for (Diagnosis const& d : all) {
    double const x = d.*number;
    if (!d.unknown.empty() || !std::isfinite(x)) {
      m.value = std::numeric_limits<double>::quiet_NaN();
      m.definition = fmt::format("{}, over the energy and coordinates", what);
      m.warning = fmt::format("not known, because of {}: {}", d.of, d.unknown);
      return m;
    }
    if (&d != &all.front() && !(largest ? x > m.value : x < m.value)) continue;
    m.value = x;
    m.definition = fmt::format("{}, that of {}, over {} quantities", what, d.of, all.size());
  }
  return m;
}

// `copies`: how many chains each one here represents.
Metrics convergence_metrics(SampleSet const& s, Model const* model, Index coordinates, double copies = 1) {
  auto all = diagnose(s, std::min(s.dimension, coordinates));
  // Single units of a machine may never change; they are then left out.
  auto const known = [](Diagnosis const& d) { return d.unknown.empty(); };
  if (if_can<GibbsModel>(model) && std::any_of(all.begin(), all.end(), known))
    all.erase(std::remove_if(all.begin(), all.end(), std::not_fn(known)), all.end());
  for (Diagnosis& d : all) d.bulk *= copies, d.tail *= copies;
  Metric rhat = worst("rhat", all, &Diagnosis::rhat, true, "largest rank-normalised split R-hat"),
         bulk = worst("ess_bulk", all, &Diagnosis::bulk, false, "smallest bulk effective sample size"),
         tail = worst("ess_tail", all, &Diagnosis::tail, false, "smallest tail effective sample size");
  if (rhat.value > most_rhat)
    rhat.warning = fmt::format(
        "{:.4g} is above {}: the chains still depend on where they started, or are stuck in different places; run longer (sampler.steps, "
        "sampler.warmup), take longer steps where nearly all are accepted, start nearer to the bulk, use a sampler that adapts to the "
        "widths "
        "of coordinates (hmc with adapt_mass = true, mams), or one that passes between modes (replica_exchange)",
        rhat.value, most_rhat);
  if (bulk.value < least_ess || tail.value < least_ess)
    (bulk.value < least_ess ? bulk : tail).warning = fmt::format(
        "the draws are worth {:.0f} independent ones, fewer than the {} that R-hat and errors need; take more draws or more chains",
        std::min(bulk.value, tail.value), least_ess);
  if (std::isnan(rhat.value)) bulk.warning = tail.warning = "";  // said once
  return {rhat, bulk, tail};
}

Metrics convergence(Subject const& s, deck::Block const& block) {
  return convergence_metrics(s.samples, s.model, block.as<ConvergenceOptions>().coordinates);
}

}  // namespace

EstimatorEntry convergence_estimator() {
  using O = ConvergenceOptions;
  return {deck::schema<O>(
              "convergence", "rank-normalised split R-hat, bulk and tail effective sample size (Vehtari et al. 2021)",
              {deck::key("coordinates", &O::coordinates, "number of coordinates, from the first on, beside the energy").at_least(0)}),
          convergence};
}

std::vector<std::string> convergence_warnings(SampleSet const& s, Model const* model, double copies) {
  // All coordinates in small runs; sorting some million numbers takes a second.
  constexpr Index most_numbers = Index{1} << 22;
  Index const draws = std::max<Index>(1, s.tiling.chains * s.draws),
              coordinates = std::max(ConvergenceOptions{}.coordinates, most_numbers / draws);
  std::vector<std::string> out;
  for (Metric const& m : convergence_metrics(s, model, coordinates, copies))
    if (!m.warning.empty()) out.push_back(m.name + ": " + m.warning);
  return out;
}

}  // namespace partita
