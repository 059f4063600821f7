// Steps of an HEE while it learns, at the FashionMNIST shape of Dong and Wu (NeurIPS 2023): widths 784, 1000 .. 100, batch 512, second
// order, fast neurons. Beside it the rate of the same matrix products alone: the ratio is what random numbers, element-wise work and
// memory leave of it. One core.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "comm/environment.hpp"
#include "core/copy.hpp"
#include "core/matrix_product.hpp"
#include "samplers/hee_langevin.hpp"

namespace {

using namespace partita;

constexpr Index batch = 512;

Hee fashion_mnist() { return Hee({.widths = {784, 1000, 775, 550, 325, 100}}, random::make_key(1)); }

// Floating-point operations a second of one product, the best of several tries.
double rate(ProductShape s, Form a_form, Form b_form) {
  auto const size = [](Index n) { return std::size_t(n); };
  Vector const a("a", size(s.rows * s.inner)), b("b", size(s.inner * s.columns)), c("c", size(s.rows * s.columns));
  fill_array(a, Real(0.5)), fill_array(b, Real(0.25));
  double best = 0;
  for (int attempt = 0; attempt < 20; attempt++) {
    auto const start = std::chrono::steady_clock::now();
    matrix_product(s, {a.data(), a_form == Form::plain ? s.inner : s.rows, a_form},
                   {b.data(), b_form == Form::plain ? s.columns : s.inner, b_form}, {c.data(), s.columns});
    Kokkos::fence();
    double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, 2 * double(s.rows * s.columns * s.inner) / seconds);
  }
  return best;
}

// The largest rate among the products of a step at batch 512.
double best_product_rate(Hee const& model) {
  double best = 0;
  for (Index l = 0; l < model.layers(); l++) {
    Index const n = model.width(l), above = model.width(l + 1);
    best = std::max({best, rate({n, batch, above}, Form::plain, Form::plain), rate({above, batch, n}, Form::transposed, Form::plain),
                     rate({n, above, batch}, Form::plain, Form::transposed)});
  }
  return best;
}

void hee_fashion_mnist(benchmark::State& state) {
  Hee const model = fashion_mnist();
  auto const key = random::make_key(1);
  HeeLangevin sampler({.tau = {1, 10}}, model);
  Tiling const tiling{batch, state.range(0)};
  HeeChains const chains = sampler.make_chains(tiling, {0, tiling.tiles()});
  sampler.initialise(chains, key, 0, {}, Visible::free);
  Vector const drive("drive", model.parameters().extent(0));
  Index const steps = state.range(1);
  bool const learning = state.range(2);
  static double const products_alone = best_product_rate(model);
  Index step = 0;
  for (auto _ : state) {
    if (learning)
      for (Index tile = 0; tile < tiling.tiles(); tile++) sampler.advance_and_learn(chains, key, tile, step, steps, drive);
    else sampler.advance(chains, key, {0, tiling.tiles()}, step, steps, Visible::clamped);
    step += steps;
    Kokkos::fence();
  }
  double const done = double(batch * step), flops = sampler.flops_per_step(learning);
  using benchmark::Counter;
  state.counters["chain_steps"] = Counter(done, Counter::kIsRate);
  state.counters["steps"] = Counter(double(step), Counter::kIsRate);
  state.counters["weights"] = double(model.weight_count());
  state.counters["flops_per_chain_step"] = flops;
  state.counters["normals_per_chain_step"] = sampler.normals_per_step(Visible::clamped);
  state.counters["flops"] = Counter(done * flops, Counter::kIsRate);
  state.counters["sgemm_flops"] = products_alone;
  state.counters["of_sgemm"] = Counter(done * flops / products_alone, Counter::kIsRate);
}

}  // namespace

BENCHMARK(hee_fashion_mnist)
    ->ArgNames({"width", "steps", "learning"})
    ->ArgsProduct({{64, 128, 256, 512}, {1, 10}, {1}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(hee_fashion_mnist)
    ->ArgNames({"width", "steps", "learning"})
    ->ArgsProduct({{64, 128, 256, 512}, {10}, {0}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
