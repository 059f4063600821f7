// Random normals, and Langevin chains on analytic energies: nanoseconds a normal, chain-steps per second, one core.
#include <benchmark/benchmark.h>

#include "comm/environment.hpp"
#include "models/gaussian.hpp"
#include "samplers/mala.hpp"
#include "samplers/ula.hpp"

namespace {

using namespace partita;

void report(benchmark::State& state, Index chains, Index steps, Index dimension) {
  double const done = static_cast<double>(chains * steps) * static_cast<double>(state.iterations());
  state.counters["chain_steps"] = benchmark::Counter(done, benchmark::Counter::kIsRate);
  state.counters["ns_per_dimension"] =
      benchmark::Counter(done * static_cast<double>(dimension) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void normals(benchmark::State& state) {
  auto const keys = random::round_keys(random::make_key(1));
  constexpr Index rows = 32;
  std::vector<Real> out(rows * strip_lanes);
  Index step = 0;
  for (auto _ : state) {
    StripNoise noise(keys, random::Stream::test, 0);
    noise.each(rows, step++, [&](Index i, Index l, Real xi) { out[static_cast<std::size_t>(i * strip_lanes + l)] = xi; });
    benchmark::DoNotOptimize(out.data());
  }
  double const made = static_cast<double>(rows * strip_lanes) * static_cast<double>(state.iterations());
  state.counters["ns_per_normal"] = benchmark::Counter(made * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void ula_gaussian(benchmark::State& state) {
  Index const d = state.range(0), chains = 1024, steps = 200;
  GaussianOptions options;
  options.dimension = d;
  options.diagonal = {1, 0.1};
  auto const model = make_gaussian(options);
  auto const key = random::make_key(1);
  Tiling const tiling{chains, state.range(1) ? state.range(1) : default_tile_width(chains, d, 2)};
  Chains set("bench", tiling, {0, tiling.tiles()}, d);
  Ula sampler({.step_size = 0.01});
  sampler.prepare(*model, set, key);
  Index step = 0;
  for (auto _ : state) {
    sampler.advance(*model, set, key, step, steps);
    step += steps;
  }
  report(state, chains, steps, d);
}

}  // namespace

BENCHMARK(normals);
BENCHMARK(ula_gaussian)->ArgNames({"d", "width"})->ArgsProduct({{2, 32, 128}, {0}});

int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
