#include "estimators/annealing.hpp"

#include <algorithm>
#include <cmath>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/require.hpp"
#include "models/gibbs_model.hpp"
#include "samplers/start_chains.hpp"

namespace partita {
namespace {

// Moves the chains along the path, from its first beta, whose distribution they have, to its last one.
std::vector<double> log_weights_along(std::vector<double> const& path, GibbsModel& model, Chains const& chains, Communicator const& ranks,
                                      random::Key key) {
  Tiling const& tiling = chains.tiling;
  random::check_budget(chains.first_number + tiling.tiles() * tiling.width, std::ssize(path), divide_up(model.dimension(), 4));
  LogWeights const weights("log weights", chains.mine.count, tiling.pitch());
  model.reserve(tiles_in_flight(chains.mine.count), tiling.width);
  auto const anneal = [&](Index first, Index count, Index lanes) {
    Tiles const x = chains.tiles(first, count, lanes);
    LogWeights const gained = Kokkos::subview(weights, std::pair(first, first + count), Kokkos::ALL);
    Sweep sweep{.key = key, .chains = chains.numbers().from(first), .reversed = path.front() > path.back()};
    for (std::size_t k = 1; k < path.size(); k++) {
      sweep.step = Index(k), sweep.beta = path[k];
      model.anneal(x, path[k - 1], sweep, gained);
    }
  };
  for_tiles_of_one_width(tiling, chains.mine, {0, chains.mine.count}, tiles_in_flight(chains.mine.count), anneal);
  auto const host = values_on_host(weights);
  std::vector<double> mine;
  for (Index t = 0; t < chains.mine.count; t++)
    for (Index l = 0; l < tiling.chains_in(chains.mine.first + t); l++) mine.push_back(host(t, l));
  auto const all = ranks.all_gather(mine);
  auto const bad = std::find_if(all.begin(), all.end(), [](double w) { return !std::isfinite(w); });
  require_all(bad == all.end(), ExitCode::numerical,
              "the importance weight of chain {} is not finite; check that the model's parameters are", bad - all.begin());
  return all;
}

Index steps_of_stretch(double from, double to, double step) { return std::max<Index>(1, std::llround((to - from) / step)); }

}  // namespace

Schedule uniform_schedule(Index temperatures) {
  Schedule betas;
  for (Index k = 0; k <= temperatures; k++) betas.push_back(double(k) / double(temperatures));
  return betas;
}

Schedule piecewise_schedule(std::vector<double> const& ends, std::vector<double> const& steps) {
  temperatures_of(ends, steps);
  Schedule betas{0};
  for (std::size_t i = 0; i < ends.size(); i++) {
    double const from = betas.back();
    Index const count = steps_of_stretch(from, ends[i], steps[i]);
    for (Index k = 1; k <= count; k++) betas.push_back(from + (ends[i] - from) * double(k) / double(count));
    betas.back() = ends[i];
  }
  return betas;
}

Index temperatures_of(std::vector<double> const& ends, std::vector<double> const& steps) {
  require_all(
      !ends.empty() && ends.size() == steps.size() && ends.back() == 1, ExitCode::usage,
      "estimator.schedule_ends: a schedule of {} ends and {} steps (one step for each stretch, the last of which ends at 1); give as many "
      "of both",
      ends.size(), steps.size());
  Index all = 0;
  for (std::size_t i = 0; i < ends.size(); i++) {
    double const from = i > 0 ? ends[i - 1] : 0;
    require_all(ends[i] > from && steps[i] > 0, ExitCode::usage,
                "estimator.schedule_ends: stretch {} goes from {} to {} in steps of {}; ends must increase and steps must be positive", i,
                from, ends[i], steps[i]);
    require_all((ends[i] - from) / steps[i] <= double(most_temperatures - all), ExitCode::usage,
                "estimator.schedule_steps: with stretch {}, from {} to {} in steps of {}, there are more than {} temperatures; use longer "
                "steps",
                i, from, ends[i], steps[i], most_temperatures);
    all += steps_of_stretch(from, ends[i], steps[i]);
  }
  return all;
}

std::vector<double> forward_log_weights(GibbsModel& model, Schedule const& betas, Tiling const& tiling, Communicator const& ranks,
                                        random::Key key) {
  Chains const chains("annealed chains", tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()), model.dimension());
  model.reserve(1, tiling.pitch());
  start_chains(model, chains, {.key = key, .stream = random::Stream::initial_state}, {});
  return log_weights_along(betas, model, chains, ranks, key);
}

std::vector<double> reverse_log_weights(GibbsModel& model, Schedule const& betas, Chains const& chains, Communicator const& ranks,
                                        random::Key key) {
  return log_weights_along({betas.rbegin(), betas.rend()}, model, chains, ranks, key);
}

Estimate acceptance_ratio(std::vector<double> const& forward, std::vector<double> const& reverse) {
  auto const n_f = double(forward.size()), n_r = double(reverse.size());
  double const offset = std::log(n_f / n_r);
  // At c = log(Z / Z_0) the sums over both directions are equal; their difference decreases with c.
  struct Moments {
    double sum = 0, squares = 0;
    void add(double f) { sum += f, squares += f * f; }
    double relative_variance(double n) const { return (squares / sum / sum - 1 / n); }
  };
  auto const at = [&](double c) {
    std::pair<Moments, Moments> m;
    for (double w : forward) m.first.add(math::sigmoid(w - c - offset));
    for (double w : reverse) m.second.add(math::sigmoid(w + c + offset));
    return m;
  };
  auto const [low_f, high_f] = std::minmax_element(forward.begin(), forward.end());
  auto const [low_r, high_r] = std::minmax_element(reverse.begin(), reverse.end());
  double const margin = 2 * std::abs(offset) + 1;  // beyond this one sum is larger for any weights
  double low = std::min(*low_f, -*high_r) - margin, high = std::max(*high_f, -*low_r) + margin;
  while (high - low > 1e-12 * std::max(1., std::abs(high))) {
    double const c = (low + high) / 2;
    if (c <= low || c >= high) break;
    auto const m = at(c);
    (m.first.sum > m.second.sum ? low : high) = c;
  }
  double const c = (low + high) / 2;
  auto const m = at(c);
  return {c, std::sqrt(std::max(m.first.relative_variance(n_f) + m.second.relative_variance(n_r), 0.))};
}

}  // namespace partita
