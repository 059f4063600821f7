// A restricted Boltzmann machine of 784 visible and 500 hidden units, one core: temperatures of annealed importance sampling with 100
// chains, and whole updates of PCD-1 with a batch of 100.
#include <benchmark/benchmark.h>

#include "comm/environment.hpp"
#include "estimators/annealing.hpp"
#include "models/rbm.hpp"
#include "objectives/contrastive_divergence.hpp"
#include "optimizers/sgd.hpp"
#include "samplers/gibbs.hpp"

namespace {

using namespace partita;

constexpr Index visible = 784, hidden = 500, chains = 100;

Rbm machine(random::Key key, double scale) {
  Rbm model({.visible = visible, .hidden = hidden, .initial_scale = scale});
  model.initialise([key](Index i) {
    auto const w = random::words(key, std::uint64_t(i), random::Stream::parameters, 0, 0);
    return random::normal_pair(w.w[0], w.w[1], double()).a;
  });
  return model;
}

void rate(benchmark::State& state, char const* name, double each) {
  state.counters[name] = benchmark::Counter(each * double(state.iterations()), benchmark::Counter::kIsRate);
}

// As in peers: 200 temperatures from 0 on, weights of deviation 0.05.
void annealing(benchmark::State& state) {
  auto const key = random::make_key(1);
  Communicator const ranks = Communicator::world();
  Rbm model = machine(key, 0.05);
  model.set_reference({std::vector<double>(visible, 0.13), std::vector<double>(visible, 0.11), 60000});
  Schedule betas = uniform_schedule(1000);
  betas.resize(201);
  for (auto _ : state) benchmark::DoNotOptimize(forward_log_weights(model, betas, {chains, state.range(0)}, ranks, key));
  rate(state, "temperatures", 200);
  rate(state, "chain_temperatures", 200 * chains);
  rate(state, "unit_updates", 200 * chains * (visible + hidden));
  rate(state, "multiply_adds", 200 * chains * 2 * visible * hidden);
}

// As in peers: 6,000 items of independent pixels, 100 of them and 100 chains an update, each of one Gibbs sweep.
void pcd_update(benchmark::State& state) {
  auto const key = random::make_key(1);
  Communicator const ranks = Communicator::world();
  Rbm model = machine(key, 0.01);
  std::vector<std::uint8_t> pixels(6000 * visible);
  for (std::size_t i = 0; i < pixels.size(); i++)
    pixels[i] = random::uniform_double(random::words(key, i, random::Stream::test, 0, 0).w[0]) < 0.13;
  data::Dataset const data({{"pixels", 6000, {visible}, std::move(pixels)}, 0, {}}, {}, key);
  data::Batches const batches(data, chains, key);
  Gibbs sampler;
  ContrastiveDivergence objective(model, sampler, batches, ranks, Summation::fast, key, state.range(0), ChainStart::persistent,
                                  {.sampler_steps = 1}, {.chains = chains, .restart_fraction = 0}, {});
  Sgd optimizer({}, extent(model.parameters(), 0));
  Timers timers;
  Index update = 0;
  for (auto _ : state) {
    optimizer.update(model.parameters(), objective.gradient(update++, timers), 0.01);
    model.parameters_changed();
  }
  rate(state, "updates", 1);
  rate(state, "unit_updates", chains * (visible + hidden));
  // Fields of the data, of a sweep's two layers and of the chains after it; the gradients of both.
  rate(state, "multiply_adds", chains * 6 * visible * hidden);
}

}  // namespace

BENCHMARK(annealing)->ArgName("width")->Arg(16)->Arg(32)->Arg(48)->Arg(64)->Arg(112)->Unit(benchmark::kMillisecond);
BENCHMARK(pcd_update)->ArgName("width")->Arg(32)->Arg(64)->Arg(112)->Unit(benchmark::kMillisecond);

int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
