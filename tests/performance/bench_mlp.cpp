// Energies of fully connected networks: evaluations with gradient in x, and jets forward + reverse with the parameter gradient, one core.
#include <benchmark/benchmark.h>

#include <cmath>

#include "comm/environment.hpp"
#include "core/copy.hpp"
#include "core/matrix_product.hpp"
#include "core/tiling.hpp"
#include "models/mlp_energy.hpp"

namespace {

using namespace partita;

template <class Function>
void fill(Vector v, Function const& f) {
  auto const host = Kokkos::create_mirror_view(v);
  for (std::size_t i = 0; i < host.extent(0); i++) host(i) = Real(f(double(i)));
  copy_array(v, host);
}

// One tile of a model, with storage in whole strips.
struct Setup {
  MlpEnergy model;
  Index lanes, pitch = round_up(lanes, pitch_quantum), d = model.dimension();
  Vector x{"x", std::size_t(d*pitch)}, gradient{"gradient", std::size_t(d*pitch)};
  Vector energy{"energy", std::size_t(pitch)};

  Setup(std::vector<Index> layers, Index width) : model({.layers = std::move(layers), .activation = "silu", .quadratic = 0}), lanes(width) {
    model.initialise([](Index i) { return 1.4 * std::sin(12.9898 * double(i)); });
    model.reserve(1, lanes);
    fill(x, [](double i) { return std::sin(7.1 * i); });
  }
  Tiles tiles(Vector const& v) const {
    auto const n = [](Index i) { return std::size_t(i); };
    return Tiles(v.data(), Kokkos::LayoutStride(1, n(d * pitch), n(d), n(pitch), n(lanes), 1));
  }
  TileScalars scalars(Vector const& v) const { return TileScalars(v.data(), Kokkos::LayoutStride(1, pitch, lanes, 1)); }
};

std::vector<Index> layers_of(Index which) { return which == 0 ? std::vector<Index>{2, 128, 128, 1} : std::vector<Index>{784, 512, 512, 1}; }

void report(benchmark::State& state, Index lanes, double flops_before) {
  double const done = double(state.iterations() * lanes);
  state.counters["evaluations"] = benchmark::Counter(done, benchmark::Counter::kIsRate);
  state.counters["product_flops"] = benchmark::Counter(matrix_product_flops() - flops_before, benchmark::Counter::kIsRate);
}

void energy_and_gradient(benchmark::State& state) {
  Setup s(layers_of(state.range(0)), state.range(1));
  double const before = matrix_product_flops();
  for (auto _ : state) {
    s.model.energy_and_gradient(s.tiles(s.x), s.scalars(s.energy), s.tiles(s.gradient));
    benchmark::DoNotOptimize(s.gradient.data());
  }
  report(state, s.lanes, before);
}

// Jets of order 0, 1 and 2 and the gradient of c0 E + c1 D_v E + c2 D_v^2 E.
void forward_and_reverse(benchmark::State& state) {
  Setup s(layers_of(state.range(0)), state.range(1));
  int const order = int(state.range(2));
  Vector const sum("sum", s.model.parameters().extent(0)), weight("weight", s.energy.extent(0)), v("v", s.x.extent(0));
  Vector const e1("e1", s.energy.extent(0)), e2("e2", s.energy.extent(0));
  fill_array(weight, Real(1) / Real(s.lanes));
  fill(v, [](double i) { return std::cos(3.3 * i); });
  auto const given = [&](int part, Vector const& of) { return order >= part ? s.scalars(of) : TileScalars(); };
  double const before = matrix_product_flops();
  for (auto _ : state) {
    s.model.jet_forward(s.tiles(s.x), s.tiles(v), order, s.scalars(s.energy), given(1, e1), given(2, e2));
    s.model.jet_reverse(s.tiles(s.x), s.scalars(weight), given(1, weight), given(2, weight), sum);
    benchmark::DoNotOptimize(sum.data());
  }
  report(state, s.lanes, before);
}

}  // namespace

BENCHMARK(energy_and_gradient)
    ->ArgNames({"network", "width"})
    ->ArgsProduct({{0}, {64, 128, 192, 256, 512}})
    ->ArgsProduct({{1}, {64, 128, 256}});
BENCHMARK(forward_and_reverse)->ArgNames({"network", "width", "order"})->ArgsProduct({{0, 1}, {128, 256, 512}, {0, 1, 2}});

int main(int argc, char** argv) {
  partita::Environment const environment(argc, argv);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
