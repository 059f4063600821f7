// Gradients that one chain needs, its warm-up counted, until averages of x_i^2 over it are good: b_i^2 = (mean x_i^2 - E x_i^2)^2 / Var
// x_i^2 below 0.01 for good, on a Gaussian whose precisions are spread evenly in their logarithms (the benchmark of Robnik, Cohn-Gordon and
// Seljak, arXiv 2503.01707). For each sampler medians over seeds: of the gradients until the mean of b_i^2 over coordinates, and its
// maximum, is below that. In the last column b_i^2 is averaged over the chains of all seeds before the maximum is taken: that of
// independent chains.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "comm/communicator.hpp"
#include "comm/environment.hpp"
#include "energies/gaussian.hpp"
#include "samplers/barker.hpp"
#include "samplers/hmc.hpp"
#include "samplers/mclmc.hpp"

namespace {

using namespace partita;

constexpr double bound = 0.01;
constexpr Index window = 20;  // steps of the warm-up between two adaptations, as in a run

struct Problem {
  Index dimension;
  double condition;
  std::vector<double> precision;
  Problem(Index d, double c) : dimension(d), condition(c) {
    for (Index i = 0; i < d; i++) precision.push_back(std::pow(c, double(i) / double(d - 1) - 0.5));
  }
  std::unique_ptr<DifferentiableModel> model() const { return make_gaussian({.dimension = dimension, .diagonal = precision}); }
};

// b_i^2 of one chain at times that all chains share.
struct Course {
  std::vector<double> gradients, mean, largest;
  std::vector<std::vector<float>> each;
};

Course run(Problem const& problem, Sampler& sampler, Index warmup, double budget, std::uint64_t seed) {
  auto const model = problem.model();
  auto const key = random::make_key(seed);
  auto const world = Communicator::world();
  Chains chains("chain", {1, lane_quantum}, {0, 1}, problem.dimension);
  initialise(chains, key, random::Stream::initial_state, 0, {});
  sampler.prepare(*model, chains, key);
  double gradients = 0;
  Index step = 0;
  auto const advance = [&](Index steps) {
    gradients += sampler.evaluations_per_step() * double(steps);
    sampler.advance(*model, chains, key, step, steps);
    step += steps;
  };
  while (step < warmup) {
    Kokkos::deep_copy(chains.accepted, 0);
    advance(window);
    sampler.adapt(double(count_acceptance(chains)) / double(window));
    sampler.adapt_to(*model, chains, world);
    gradients += 1;  // that an adaptation may evaluate
  }
  Course out;
  auto const d = std::size_t(problem.dimension);
  std::vector<double> squares(d);
  double next = gradients;
  for (Index n = 1; gradients < budget; n++) {
    advance(1);
    for (std::size_t i = 0; i < d; i++) squares[i] += std::pow(double(chains.x(0, i, 0)), 2);
    if (gradients < next) continue;
    next = gradients + budget / 400;
    out.gradients.push_back(gradients), out.mean.push_back(0), out.largest.push_back(0), out.each.emplace_back();
    for (std::size_t i = 0; i < d; i++) {
      double const b = (squares[i] / double(n) * problem.precision[i] - 1) / std::sqrt(2);
      out.mean.back() += b * b / double(d);
      out.largest.back() = std::max(out.largest.back(), b * b);
      out.each.back().push_back(float(b * b));
    }
  }
  return out;
}

// From when on it stays below the bound; infinite where it does not.
double reached(std::vector<double> const& gradients, std::vector<double> const& error) {
  std::size_t k = error.size();
  while (k > 0 && error[k - 1] < bound) k--;
  return k < error.size() ? gradients[k] : INFINITY;
}
double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

void measure(Problem const& problem, std::string const& name, std::function<std::unique_ptr<Sampler>()> const& make, Index warmup,
             double budget, int seeds) {
  std::vector<double> mean, largest;
  std::vector<std::vector<double>> sums;
  std::vector<double> gradients;
  for (int seed = 1; seed <= seeds; seed++) {
    auto const sampler = make();
    Course const c = run(problem, *sampler, warmup, budget, std::uint64_t(seed));
    mean.push_back(reached(c.gradients, c.mean)), largest.push_back(reached(c.gradients, c.largest));
    std::size_t const points = sums.empty() ? c.each.size() : std::min(sums.size(), c.each.size());
    sums.resize(points, std::vector<double>(c.each.front().size()));
    gradients.assign(c.gradients.begin(), c.gradients.begin() + static_cast<std::ptrdiff_t>(points));
    for (std::size_t k = 0; k < points; k++)
      for (std::size_t i = 0; i < sums[k].size(); i++) sums[k][i] += double(c.each[k][i]) / seeds;
  }
  std::vector<double> of_chains;
  for (auto const& s : sums) of_chains.push_back(*std::max_element(s.begin(), s.end()));
  fmt::print("{:<28} warmup {:>5}   mean {:>8.0f}   max {:>8.0f}   max over chains' mean {:>8.0f}\n", name, warmup, median(mean),
             median(largest), reached(gradients, of_chains));
  std::fflush(stdout);
}

}  // namespace

// bench_gradients [sampler [dimension [condition [seeds [budget]]]]]: all samplers, on the published problem.
int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  std::string const asked = argc > 1 ? argv[1] : "all";
  auto const argument = [&](int n, double otherwise) { return argc > n ? std::atof(argv[n]) : otherwise; };
  Problem const problem(Index(argument(2, 10000)), argument(3, 100));
  int const seeds = int(argument(4, 5));
  double const budget = argument(5, 30000);
  struct Case {
    std::string name;
    std::vector<Index> warmups;  // steps
    std::function<std::unique_ptr<Sampler>()> make;
  };
  for (Case const& c : {
           Case{"mclmc", {80, 160, 320}, [] { return std::make_unique<Mclmc>(MclmcOptions{}); }},
           Case{"mclmc_equal_masses", {160}, [] { return std::make_unique<Mclmc>(MclmcOptions{.adapt_mass = false}); }},
           Case{"mams", {40, 80}, [] { return std::make_unique<Mams>(MamsOptions{}); }},
           Case{"hmc", {80, 160}, [] { return std::make_unique<Hmc>(HmcOptions{.step_size = 0.05, .adapt_mass = true}); }},
           Case{"barker", {640}, [] { return std::make_unique<Barker>(BarkerOptions{}); }},
       })
    if (asked == "all" || asked == c.name)
      for (Index warmup : c.warmups) measure(problem, c.name, c.make, warmup, budget, seeds);
}
