// One update of a NICE flow by reverse KL, as in peers: ManyWell in 64 dimensions, six couplings 32-256-256-32 (SiLU), a diagonal S, 512
// samples an update, Adam; and samples of it. One core.
#include <benchmark/benchmark.h>

#include "comm/environment.hpp"
#include "core/matrix_product.hpp"
#include "energies/many_well.hpp"
#include "generators/flow_generator.hpp"
#include "objectives/reverse_kl.hpp"
#include "optimizers/adam.hpp"

namespace {

using namespace partita;

constexpr Index dimension = 64;

Nice flow(random::Key key) {
  Nice model({.dimension = dimension, .couplings = 6, .hidden = {256, 256}, .activation = "silu"});
  model.initialise([key](Index i) {
    auto const w = random::words(key, std::uint64_t(i), random::Stream::parameters, 0, 0);
    return random::normal_pair(w.w[0], w.w[1], double()).a;
  });
  return model;
}
std::unique_ptr<DifferentiableModel> target() { return make_many_well({dimension}); }

void reverse_kl_update(benchmark::State& state) {
  auto const key = random::make_key(1);
  Nice model = flow(key);
  ReverseKl objective(model, target(), {}, {512, state.range(0)}, 100000, Communicator::world(), Summation::fast, key);
  Adam adam({}, extent(model.parameters(), 0));
  Timers timers;
  Index update = 0;
  double const before = matrix_product_flops();
  for (auto _ : state) {
    adam.update(model.parameters(), objective.gradient(update++, timers), 1e-3);
    model.parameters_changed();
  }
  state.counters["updates"] = benchmark::Counter(double(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["product_flops"] = benchmark::Counter(matrix_product_flops() - before, benchmark::Counter::kIsRate);
}

void weighted_samples(benchmark::State& state) {
  Index const samples = 8192;
  auto const key = random::make_key(1), other = random::make_key(2);
  Nice model = flow(key);
  auto const energy = target();
  Tiling const tiling{samples, state.range(0)};
  FlowDraws draws(model, tiling, {0, tiling.tiles()});
  Index step = 0;
  for (auto _ : state) draws.draw(model, *energy, other, step++);
  state.counters["samples"] = benchmark::Counter(double(samples * state.iterations()), benchmark::Counter::kIsRate);
}

}  // namespace

BENCHMARK(reverse_kl_update)->ArgName("width")->Arg(64)->Arg(128)->Arg(256)->Arg(512);
BENCHMARK(weighted_samples)->ArgName("width")->Arg(64)->Arg(128)->Arg(256)->Arg(512);

int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
