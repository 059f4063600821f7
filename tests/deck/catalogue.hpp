// A small Catalogue with one of everything a schema can say, for the deck tests.
#pragma once
#include "deck/document.hpp"
#include "deck/duration.hpp"

namespace partita::deck {

struct RunOptions {
  std::string task, output = "runs/default";
  std::uint64_t seed = 1;
  bool reproducible = false;
  std::string walltime;
};
struct GaussianOptions {
  std::int64_t dimension = 1;
  std::vector<double> mean = {0}, box = {-1, 1};
  std::string precision = "diagonal";
};
struct NetworkOptions {
  std::vector<std::int64_t> layers;
  std::vector<std::string> names;
  double weight_scale = 0.1;
};
struct SamplerOptions {
  std::int64_t chains = 1024;
  int steps = 100;
  std::int64_t thin = 1, draws = 0, width = 0;
};
struct UlaOptions {
  double step_size = 0;
};
struct HmcOptions {
  double step_size = 0;
  std::int64_t leapfrog_steps = 10;
  float friction = 0.1f;
};
struct TrainOptions {
  std::int64_t updates = 1000;
  double learning_rate = 1e-3;
};
struct EstimatorOptions {
  std::int64_t points = 1000;
};

inline Section run_section() {
  using O = RunOptions;
  return {.name = "run",
          .doc = "What to do",
          .common = {key("task", &O::task, "what to compute").required().one_of({"sample", "train", "estimate"}),
                     key("output", &O::output, "run directory").free_on_restart(), key("seed", &O::seed, "seed of all random numbers"),
                     key("reproducible", &O::reproducible, "same bits on any number of ranks").for_tasks({"train"}),
                     key("walltime", &O::walltime, "stop in time").checked_by(reason_against_duration).free_on_restart()},
          .types = {},
          .default_type = {},
          .tasks = {},
          .required_for = {}};
}

inline Section model_section() {
  using G = GaussianOptions;
  using N = NetworkOptions;
  return {
      .name = "model",
      .doc = "The energy E(x)",
      .common = {},
      .types = {schema<G>("gaussian", "E = (x - mu)' H (x - mu) / 2",
                          {key("dimension", &G::dimension, "number of coordinates d").at_least(1),
                           key("mean", &G::mean, "mu").of_any_size(), key("box", &G::box, "starting interval").of_length(2).in("length"),
                           key("precision", &G::precision, "form of H").one_of({"diagonal", "ar1", "dense"})}),
                schema<N>(
                    "mlp", "A multilayer perceptron",
                    {key("layers", &N::layers, "widths of the layers").required().at_least(1), key("names", &N::names, "of the layers"),
                     key("weight_scale", &N::weight_scale, "of the initial weights").above(0).at_most(1)})},
      .default_type = {},
      .tasks = {},
      .required_for = {"sample", "train"}};
}

inline Section sampler_section() {
  using O = SamplerOptions;
  using U = UlaOptions;
  using H = HmcOptions;
  return {
      .name = "sampler",
      .doc = "Markov chains",
      .common = {key("chains", &O::chains, "number of chains").at_least(1),
                 key("steps", &O::steps, "steps of each chain").at_least(0).free_on_restart(),
                 key("thin", &O::thin, "steps from draw to draw").at_least(1).excludes({"draws"}),
                 key("draws", &O::draws, "draws kept").at_least(0).at_most(1e18), key("width", &O::width, "lanes of a tile").at_least(1)},
      .types = {schema<U>("ula", "Unadjusted Langevin", {key("step_size", &U::step_size, "step eta").required().above(0).formerly("eta")})
                    .formerly("langevin"),
                schema<H>("hmc", "Hamiltonian Monte Carlo",
                          {key("step_size", &H::step_size, "leapfrog step").required().above(0),
                           key("leapfrog_steps", &H::leapfrog_steps, "leapfrog steps of a proposal").at_least(1),
                           key("friction", &H::friction, "partial refreshment").at_least(0).below(1)})
                    .excludes_common({"width"})},
      .default_type = {},
      .tasks = {"sample", "train"},
      .required_for = {"sample"}};
}

inline Section train_section() {
  using O = TrainOptions;
  return {.name = "train",
          .doc = "Training",
          .common = {key("updates", &O::updates, "parameter updates").at_least(0).free_on_restart(),
                     key("learning_rate", &O::learning_rate, "Adam's alpha").above(0)},
          .types = {},
          .default_type = {},
          .tasks = {"train"},
          .required_for = {}};
}

inline Section estimator_section() {
  using O = EstimatorOptions;
  return {.name = "estimator",
          .doc = "What is estimated at the end",
          .common = {},
          .types = {schema<O>("energy", "Mean energy", {key("points", &O::points, "points used").at_least(1)}),
                    schema<O>("moments", "Mean and variance", {})},
          .default_type = {},
          .tasks = {},
          .required_for = {},
          .repeated = true,
          .on_restart = OnRestart::free};
}

inline Catalogue const& test_catalogue() {
  static Catalogue const catalogue{{run_section(), model_section(), sampler_section(), train_section(), estimator_section()}};
  return catalogue;
}

inline constexpr char good_deck[] = R"(title = "Gaussian"
[run]
task = "sample"
seed = 1e6
[model]
type = "gaussian"
dimension = 32
mean = [0, 1.5]
[sampler]
type = "ula"
step_size = 0.1
steps = 2_000
[[estimator]]
type = "moments"
[[estimator]]
type = "energy"
points = 0x10
)";

}  // namespace partita::deck
