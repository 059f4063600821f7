// Random normals, and Langevin chains on analytic energies: nanoseconds a normal, chain-steps per second, one core.
#include <benchmark/benchmark.h>

#include "comm/environment.hpp"
#include "energies/double_well.hpp"
#include "energies/gaussian.hpp"
#include "samplers/mala.hpp"
#include "samplers/ula.hpp"

namespace {

using namespace partita;

void report(benchmark::State& state, Index chains, Index steps, Index dimension) {
  double const done = double(chains * steps) * double(state.iterations());
  state.counters["chain_steps"] = benchmark::Counter(done, benchmark::Counter::kIsRate);
  state.counters["ns_per_dimension"] =
      benchmark::Counter(done * double(dimension) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void normals(benchmark::State& state) {
  auto const keys = random::round_keys(random::make_key(1));
  constexpr Index rows = 32;
  std::vector<Real> out(rows * strip_lanes);
  Index step = 0;
  for (auto _ : state) {
    StripNoise noise(keys, random::Stream::test, 0);
    noise.each(rows, step++, [&](Index i, Index l, Real xi) { out[i * strip_lanes + l] = xi; });
    benchmark::DoNotOptimize(out.data());
  }
  double const made = double(rows * strip_lanes) * double(state.iterations());
  state.counters["ns_per_normal"] = benchmark::Counter(made * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <class Sampler, class Energy>
void run_chains(benchmark::State& state, Sampler& sampler, Energy const& model, Index dimension) {
  Index const chains = 1024, steps = 200;
  auto const key = random::make_key(1);
  Tiling const tiling{chains, default_tile_width(chains, dimension, 2)};
  Chains set("bench", tiling, {0, tiling.tiles()}, dimension);
  sampler.prepare(model, set, key);
  Index step = 0;
  for (auto _ : state) {
    sampler.advance(model, set, key, step, steps);
    step += steps;
  }
  report(state, chains, steps, dimension);
}

std::unique_ptr<Model> gaussian(Index dimension) {
  GaussianOptions options;
  options.dimension = dimension;
  options.diagonal = {1, 0.1};
  return make_gaussian(options);
}

void ula_gaussian(benchmark::State& state) {
  Ula sampler({.step_size = 0.01});
  run_chains(state, sampler, *gaussian(state.range(0)), state.range(0));
}

void mala_gaussian(benchmark::State& state) {
  Mala sampler({.step_size = 0.3});
  run_chains(state, sampler, *gaussian(state.range(0)), state.range(0));
}

void mala_double_well(benchmark::State& state) {
  Mala sampler({.step_size = 0.02});
  run_chains(state, sampler, *make_double_well({.dimension = state.range(0)}), state.range(0));
}

}  // namespace

BENCHMARK(normals);
BENCHMARK(ula_gaussian)->ArgName("d")->Arg(2)->Arg(32)->Arg(128);
BENCHMARK(mala_gaussian)->ArgName("d")->Arg(2)->Arg(32)->Arg(128);
BENCHMARK(mala_double_well)->ArgName("d")->Arg(1)->Arg(2)->Arg(32);

int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
