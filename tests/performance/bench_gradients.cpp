// Gradients that a chain needs, its warm-up counted, until averages of x_i^2 over it are good: b_i^2 = (mean x_i^2 - E x_i^2)^2 / Var
// x_i^2, averaged over chains, below 0.01 for good in every coordinate (max), or on the average of the coordinates (mean), on a Gaussian
// whose precisions are spread evenly in their logarithms (the benchmark of Robnik, Cohn-Gordon and Seljak, arXiv 2503.01707). The chains
// are tuned together, as in a run; `tuned alone`: each by itself, which is what they publish.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "comm/communicator.hpp"
#include "comm/environment.hpp"
#include "core/copy.hpp"
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

// Sums over chains of b_i^2 at times that all chains share.
struct Course {
  std::vector<double> gradients;
  std::vector<std::vector<double>> error;  // of each time and coordinate
};

void add_errors(Problem const& problem, Chains const& chains, std::vector<double>& squares, Index draws, bool wanted,
                std::vector<double>* error) {
  Index const d = problem.dimension, n = chains.tiling.chains;
  for (Index i = 0; i < d; i++)
    for (Index c = 0; c < n; c++) {
      double& sum = squares[i * n + c];
      sum += std::pow(double(chains.x(0, i, c)), 2);
      if (wanted) (*error)[i] += std::pow(sum / double(draws) * problem.precision[i] - 1, 2) / 2;
    }
}

void run(Problem const& problem, Sampler& sampler, Index warmup, double budget, Index count, std::uint64_t seed, Course& course) {
  auto const model = problem.model();
  auto const key = random::make_key(seed);
  auto const world = Communicator::world();
  Chains chains("chains", {count, round_up(count, lane_quantum)}, {0, 1}, problem.dimension);
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
    fill_array(chains.accepted, 0);
    advance(window);
    sampler.adapt(double(count_acceptance(chains)) / double(window * count));
    sampler.adapt_to(*model, chains, world);
    gradients += 1;  // that an adaptation may evaluate
  }
  std::vector<double> squares(problem.dimension * count);
  double next = gradients;
  std::size_t at = 0;
  for (Index n = 1; gradients < budget; n++) {
    advance(1);
    bool const wanted = gradients >= next;
    if (wanted && at == course.error.size()) course.gradients.push_back(gradients), course.error.emplace_back(problem.dimension);
    add_errors(problem, chains, squares, n, wanted, wanted ? &course.error[at] : nullptr);
    if (wanted) next = gradients + budget / 400, at++;
  }
  course.error.resize(at);  // seeds tune differently: the times are those of the last, and all have that many
}

// From when on it stays below the bound; infinite where it does not.
double reached(std::vector<double> const& gradients, std::vector<double> const& error) {
  std::size_t k = error.size();
  while (k > 0 && error[k - 1] < bound) k--;
  return k < error.size() ? gradients[k] : INFINITY;
}

void measure(Problem const& problem, std::string const& name, std::function<std::unique_ptr<Sampler>()> const& make, Index warmup,
             double budget, Index chains, bool alone) {
  Course course;
  for (Index seed = 1; seed <= (alone ? chains : 1); seed++) {
    auto const sampler = make();
    run(problem, *sampler, warmup, budget, alone ? 1 : chains, std::uint64_t(seed), course);
  }
  std::vector<double> mean, largest;
  for (auto const& e : course.error) {
    mean.push_back(std::accumulate(e.begin(), e.end(), 0.) / double(chains * problem.dimension));
    largest.push_back(*std::max_element(e.begin(), e.end()) / double(chains));
  }
  fmt::print("{:<20} {:>4} chains{}, warmup {:>5}   mean {:>8.0f}   max {:>8.0f}\n", name, chains, alone ? " tuned alone" : "", warmup,
             reached(course.gradients, mean), reached(course.gradients, largest));
  std::fflush(stdout);
}

}  // namespace

// bench_gradients [sampler [chains [alone [dimension [condition [budget]]]]]]: all samplers, on the published problem.
int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  std::string const asked = argc > 1 ? argv[1] : "all";
  auto const argument = [&](int n, double otherwise) { return argc > n ? std::atof(argv[n]) : otherwise; };
  auto const chains = Index(argument(2, 64));
  bool const alone = argument(3, 0) != 0;
  Problem const problem(Index(argument(4, 10000)), argument(5, 100));
  double const budget = argument(6, 15000);
  struct Case {
    std::string name;
    std::vector<Index> warmups;  // steps
    std::function<std::unique_ptr<Sampler>()> make;
  };
  for (Case const& c : {
           Case{"mclmc", {80, 160, 320}, [] { return std::make_unique<Mclmc>(MclmcOptions{}); }},
           Case{"mclmc_equal_masses", {160}, [] { return std::make_unique<Mclmc>(MclmcOptions{.adapt_mass = false}); }},
           Case{"mams", {40, 80}, [] { return std::make_unique<Mams>(MamsOptions{}); }},
           Case{"mams_equal_masses", {80}, [] { return std::make_unique<Mams>(MamsOptions{.adapt_mass = false}); }},
           Case{"hmc",
                {40, 80},
                [] { return std::make_unique<Hmc>(HmcOptions{.step_size = 0.05, .leapfrog_steps = 5, .adapt_mass = true}); }},
           Case{"hmc_equal_masses", {40}, [] { return std::make_unique<Hmc>(HmcOptions{.step_size = 0.05, .leapfrog_steps = 20}); }},
           Case{"barker", {640}, [] { return std::make_unique<Barker>(BarkerOptions{}); }},
       })
    if (asked == "all" || asked == c.name)
      for (Index warmup : c.warmups) measure(problem, c.name, c.make, warmup, budget, chains, alone);
}
