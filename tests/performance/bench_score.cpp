// Updates of score matching with Adam on 2-128-128-1 SiLU energies and a 2-128-128-2 score network, one core: the shapes of peers.
#include <benchmark/benchmark.h>

#include "comm/environment.hpp"
#include "data/generated.hpp"
#include "models/mlp_energy.hpp"
#include "models/mlp_score.hpp"
#include "objectives/denoising_score_matching.hpp"
#include "optimizers/adam.hpp"

namespace {

using namespace partita;

template <class Class, class Network, class... Options>
void updates(benchmark::State& state, Options... options) {
  auto const key = random::make_key(1);
  Network model({.layers = {2, 128, 128, std::is_same_v<Network, MlpEnergy> ? 1 : 2}, .activation = "silu"});
  model.initialise([key](Index i) {
    auto const w = random::words(key, std::uint64_t(i), random::Stream::parameters, 0, 0);
    return random::normal_pair(w.w[0], w.w[1], double()).a;
  });
  data::Dataset const data({data::generate(data::TwoMoons{}, key, 0, 10000), 0, {}}, {}, key);
  data::Batches const batches(data, state.range(0), key);
  Class objective(model, batches, Communicator::world(), Summation::fast, key, ScoreMatchingOptions{.tile_width = state.range(1)},
                  options...);
  Adam adam({}, extent(model.parameters(), 0));
  Timers timers;
  Index update = 0;
  for (auto _ : state) {
    adam.update(model.parameters(), objective.gradient(update++, timers), 1e-3);
    model.parameters_changed();
  }
  state.counters["updates"] = benchmark::Counter(double(state.iterations()), benchmark::Counter::kIsRate);
}

template <class Network>
void denoising(benchmark::State& state) {
  updates<DenoisingScoreMatching, Network>(state, DenoisingOptions{.sigma = {0.1}});
}
// As in peers the variance-reduced form, and beside it the plain one.
void sliced(benchmark::State& state) { updates<SlicedScoreMatching, MlpEnergy>(state, SlicedOptions{.variance_reduced = true}); }
void sliced_plain(benchmark::State& state) { updates<SlicedScoreMatching, MlpEnergy>(state, SlicedOptions{.variance_reduced = false}); }
void exact(benchmark::State& state) { updates<ExactScoreMatching, MlpEnergy>(state); }

void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"batch", "width"})->Args({128, 64})->Args({128, 128})->Args({1024, 128})->Args({1024, 256});
}

}  // namespace

BENCHMARK(denoising<MlpEnergy>)->Apply(shapes);
BENCHMARK(denoising<MlpScore>)->Apply(shapes);
BENCHMARK(sliced)->Apply(shapes);
BENCHMARK(sliced_plain)->Apply(shapes);
BENCHMARK(exact)->Apply(shapes);

int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
