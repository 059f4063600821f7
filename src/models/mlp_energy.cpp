#include "models/mlp_energy.hpp"

#include <fmt/format.h>

#include "core/require.hpp"
#include "core/tiling.hpp"

namespace partita {
namespace {

Activation activation_named(std::string const& name) {
  static std::pair<char const*, Activation> const table[] = {
      {"silu", Activation::silu}, {"softplus", Activation::softplus}, {"tanh", Activation::tanh}, {"gelu", Activation::gelu}};
  for (auto const& [known, activation] : table)
    if (name == known) return activation;
  fail(ExitCode::usage, fmt::format("activation \"{}\" is unknown; use silu, softplus, tanh or gelu", name), FailedOn::all_ranks);
}

// Tiles that are evaluated together: one through the caches of a CPU, all of them on a GPU.
Index tiles_at_once(Index tiles) { return runs_on_host ? 1 : std::max<Index>(1, tiles); }

// Tiles first, first + 1, ... of a View.
template <class View>
View some_tiles(View const& v, Index first, Index count) {
  auto const range = std::make_pair(first, first + count);
  if constexpr (View::rank == 3) return Kokkos::subview(v, range, Kokkos::ALL, Kokkos::ALL);
  else return Kokkos::subview(v, range, Kokkos::ALL);
}

// energy += lambda/2 |x|^2, and gradient += lambda x unless it is empty.
void add_quadratic(Real lambda, ConstTiles const& x, TileScalars const& energy, Tiles const& gradient) {
  if (lambda == 0) return;
  Index const tiles = static_cast<Index>(x.extent(0)), dimension = static_cast<Index>(x.extent(1)), lanes = static_cast<Index>(x.extent(2));
  bool const with_gradient = gradient.data() != nullptr;
  Index const span = runs_on_host ? lanes : 1, spans = lanes / span;
  Kokkos::parallel_for(
      "partita::mlp_quadratic", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles * spans), KOKKOS_LAMBDA(Index n) {
        Index const tile = n / spans, first = n % spans * span;
        Real* __restrict const e = &energy(tile, first);
        for (Index i = 0; i < dimension; i++) {
          Real const* const xi = &x(tile, i, first);
          for (Index l = 0; l < span; l++) e[l] = std::fma(lambda / 2 * xi[l], xi[l], e[l]);
          if (with_gradient) {
            Real* __restrict const g = &gradient(tile, i, first);
            for (Index l = 0; l < span; l++) g[l] = std::fma(lambda, xi[l], g[l]);
          }
        }
      });
}

}  // namespace

deck::Schema mlp_schema() {
  using O = MlpOptions;
  return deck::schema<O>(
      "mlp", "fully connected network, E(x) = N(x; theta) + lambda/2 |x|^2, trained from data",
      {deck::key("layers", &O::layers, "widths of input (the dimension of x), hidden layers and output (1)").required().at_least(1),
       deck::key("activation", &O::activation, "between the layers; gelu is the erf form").one_of({"silu", "softplus", "tanh", "gelu"}),
       deck::key("quadratic", &O::quadratic, "lambda; above 0 the energy confines x and Z is finite wherever N is bounded below")
           .at_least(0)});
}

MlpEnergy::MlpEnergy(MlpOptions const& o)
    : network_(o.layers, activation_named(o.activation)),
      quadratic_(static_cast<Real>(o.quadratic)),
      parameters_("mlp parameters", static_cast<std::size_t>(network_.parameter_count())) {}

void MlpEnergy::initialise(std::function<double(Index)> const& normal) {
  auto const host = Kokkos::create_mirror_view(parameters_);
  Kokkos::deep_copy(host, Real(0));
  for (Index k = 0; k < network_.layers(); k++)
    for (Index i = network_.weight_offset(k); i < network_.bias_offset(k); i++)
      host(i) = static_cast<Real>(network_.initial_scale(k) * normal(i));
  Kokkos::deep_copy(parameters_, host);
}

std::vector<ParameterBlock> MlpEnergy::parameter_blocks() const {
  std::vector<ParameterBlock> blocks;
  for (Index k = 0; k < network_.layers(); k++) {
    blocks.push_back({fmt::format("layer{}/weight", k), {network_.outputs(k), network_.inputs(k)}, network_.weight_offset(k)});
    blocks.push_back({fmt::format("layer{}/bias", k), {network_.outputs(k)}, network_.bias_offset(k)});
  }
  return blocks;
}

double MlpEnergy::flops_per_evaluation() const {
  double products = 0;  // one forward and one back through every weight, a multiplication and an addition each
  for (Index k = 0; k < network_.layers(); k++) products += static_cast<double>(network_.inputs(k) * network_.outputs(k));
  return 4 * products;
}

Index MlpEnergy::work_elements(Index tiles, Index lanes) const {
  return tiles_at_once(tiles) * (network_.tape_elements(lanes) + round_up(lanes, pitch_quantum));
}

std::size_t MlpEnergy::work_bytes(Index tiles, Index lanes) const {
  return static_cast<std::size_t>(work_elements(tiles, lanes)) * sizeof(Real);
}

MlpTape MlpEnergy::tape(Index tiles, Index lanes) const {
  auto const wanted = static_cast<std::size_t>(work_elements(tiles, lanes));
  if (work_.size() < wanted) work_ = Vector(Kokkos::view_alloc("mlp activations", Kokkos::WithoutInitializing), wanted);
  taped_first_ = -1;
  return {work_.data()};
}

TileScalars MlpEnergy::recomputed_energy(Index tiles, Index lanes) const {
  auto const pitch = static_cast<std::size_t>(round_up(lanes, pitch_quantum));
  Real* const behind = work_.data() + tiles_at_once(tiles) * network_.tape_elements(lanes);
  return TileScalars(behind,
                     Kokkos::LayoutStride(static_cast<std::size_t>(tiles_at_once(tiles)), pitch, static_cast<std::size_t>(lanes), 1));
}

void MlpEnergy::energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const {
  Index const tiles = static_cast<Index>(x.extent(0)), flight = tiles_at_once(tiles);
  MlpTape const t = tape(tiles, static_cast<Index>(x.extent(2)));
  for (Index first = 0; first < tiles; first += flight) {
    network_.forward(parameters_, some_tiles(x, first, flight), some_tiles(energy, first, flight), t);
    network_.input_gradient(parameters_, t, some_tiles(gradient, first, flight));
  }
  add_quadratic(quadratic_, x, energy, gradient);
}

void MlpEnergy::jet_forward(ConstTiles x, ConstTiles, int order, TileScalars e0, TileScalars, TileScalars) {
  require_all(order <= highest_jet_order(), ExitCode::internal,
              "jet of order {} (the mlp energy has order {}), ask highest_jet_order() first", order, highest_jet_order());
  Index const tiles = static_cast<Index>(x.extent(0)), flight = tiles_at_once(tiles);
  MlpTape const t = tape(tiles, static_cast<Index>(x.extent(2)));
  for (Index first = 0; first < tiles; first += flight) {
    network_.forward(parameters_, some_tiles(x, first, flight), some_tiles(e0, first, flight), t);
    taped_first_ = first;
  }
  add_quadratic(quadratic_, x, e0, {});
}

void MlpEnergy::jet_reverse(ConstTiles x, ConstTileScalars c0, ConstTileScalars, ConstTileScalars, Vector sum) {
  Index const tiles = static_cast<Index>(x.extent(0)), lanes = static_cast<Index>(x.extent(2)), flight = tiles_at_once(tiles);
  Index const taped = taped_first_;
  MlpTape const t = tape(tiles, lanes);
  for (Index first = tiles - flight; first >= 0; first -= flight) {  // the last first: the tape still holds it
    if (first != taped) network_.forward(parameters_, some_tiles(x, first, flight), recomputed_energy(tiles, lanes), t);
    network_.add_parameter_gradient(parameters_, some_tiles(x, first, flight), some_tiles(c0, first, flight), t, sum);
  }
}

}  // namespace partita
