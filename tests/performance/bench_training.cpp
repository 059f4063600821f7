// Langevin chains on a 2-128-128-1 SiLU energy, and whole updates of persistent contrastive divergence with them, one core.
#include <benchmark/benchmark.h>

#include "comm/environment.hpp"
#include "data/generated.hpp"
#include "models/mlp_energy.hpp"
#include "objectives/contrastive_divergence.hpp"
#include "optimizers/adam.hpp"
#include "samplers/ula.hpp"

namespace {

using namespace partita;

MlpEnergy small_energy(random::Key key) {
  MlpEnergy model({.layers = {2, 128, 128, 1}, .activation = "silu"});
  model.initialise([key](Index i) {
    auto const w = random::words(key, std::uint64_t(i), random::Stream::parameters, 0, 0);
    return random::normal_pair(w.w[0], w.w[1], double()).a;
  });
  return model;
}

void langevin_mlp(benchmark::State& state) {
  Index const chains = 4096, steps = 20;
  auto const key = random::make_key(1);
  MlpEnergy model = small_energy(key);
  Tiling const tiling{chains, state.range(0)};
  Chains set("bench", tiling, {0, tiling.tiles()}, 2);
  model.reserve(1, tiling.width);
  initialise(set, key, random::Stream::initial_state, 0, {});
  Ula sampler({.step_size = 0.01});
  Index step = 0;
  for (auto _ : state) {
    sampler.advance(model, set, key, step, steps);
    step += steps;
  }
  state.counters["chain_steps"] = benchmark::Counter(double(chains * steps) * double(state.iterations()), benchmark::Counter::kIsRate);
}

// As in peers: a buffer of 8192 chains, 256 of them and 256 data items an update, 20 steps, Adam.
void pcd_update(benchmark::State& state) {
  auto const key = random::make_key(1);
  Communicator const ranks = Communicator::world();
  MlpEnergy model = small_energy(key);
  data::Dataset const data({data::generate(data::TwoMoons{}, key, 0, 10000), 0, {}}, {}, key);
  data::Batches const batches(data, 256, key);
  Ula sampler({.step_size = 0.01});
  ContrastiveDivergence objective(model, sampler, batches, ranks, Summation::fast, key, state.range(0), ChainStart::persistent, {},
                                  {.chains = 8192, .restart_fraction = 0.05}, {InitialState::uniform, 2});
  Adam adam({}, extent(model.parameters(), 0));
  Timers timers;
  Index update = 0;
  for (auto _ : state) {
    adam.update(model.parameters(), objective.gradient(update++, timers), 1e-3);
    model.parameters_changed();
  }
  state.counters["updates"] = benchmark::Counter(double(state.iterations()), benchmark::Counter::kIsRate);
}

}  // namespace

BENCHMARK(langevin_mlp)->ArgName("width")->Arg(64)->Arg(128)->Arg(256)->Arg(512);
BENCHMARK(pcd_update)->ArgName("width")->Arg(64)->Arg(128)->Arg(256);

int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
