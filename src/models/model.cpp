#include "models/model.hpp"

#include "core/require.hpp"
#include "core/tiling.hpp"

namespace partita {

ScoreModel const& score_of(Model const& model) {
  auto const* score = dynamic_cast<ScoreModel const*>(&model);
  require_all(
      score != nullptr, ExitCode::usage,
      "Langevin samplers follow the gradient of an energy in x, and the units of this model are discrete; use sampler.type = \"gibbs\"");
  return *score;
}

namespace {

void widen(ConstTileScalars from, TileEnergies to) {
  auto const lanes = static_cast<Index>(from.extent(1));
  Kokkos::parallel_for(
      "partita::widen_energies", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, static_cast<Index>(from.extent(0)) * lanes),
      KOKKOS_LAMBDA(Index n) { to(n / lanes, n % lanes) = static_cast<double>(from(n / lanes, n % lanes)); });
}

}  // namespace

TileScalars EnergyModel::narrow_energies(ConstTiles x) const {
  auto const tiles = static_cast<Index>(x.extent(0)), lanes = static_cast<Index>(x.extent(2)), pitch = round_up(lanes, pitch_quantum);
  if (static_cast<Index>(narrow_energies_.extent(0)) < tiles || static_cast<Index>(narrow_energies_.extent(1)) < pitch)
    narrow_energies_ = TileScalarStorage("energies to be widened", tiles, pitch);
  return Kokkos::subview(narrow_energies_, std::pair(Index{0}, tiles), std::pair(Index{0}, lanes));
}

void EnergyModel::precise_energy(ConstTiles x, TileEnergies energies) const {
  auto const narrow = narrow_energies(x);
  energy(x, narrow);
  widen(narrow, energies);
}

void DifferentiableModel::precise_energy_and_gradient(ConstTiles x, TileEnergies energies, Tiles gradient) const {
  auto const narrow = narrow_energies(x);
  energy_and_gradient(x, narrow, gradient);
  widen(narrow, energies);
}

Tiles DifferentiableModel::unused_gradient(ConstTiles x) const {
  auto const tiles = static_cast<Index>(x.extent(0)), lanes = static_cast<Index>(x.extent(2)), pitch = round_up(lanes, pitch_quantum);
  if (static_cast<Index>(unused_gradient_.extent(0)) < tiles || static_cast<Index>(unused_gradient_.extent(2)) < pitch)
    unused_gradient_ = TileStorage("gradient of energies", tiles, dimension(), pitch);
  return Kokkos::subview(unused_gradient_, std::pair(Index{0}, tiles), Kokkos::ALL, std::pair(Index{0}, lanes));
}

void DifferentiableModel::energy(ConstTiles x, TileScalars energy) const { energy_and_gradient(x, energy, unused_gradient(x)); }

void DifferentiableModel::gradient(ConstTiles x, Tiles gradient) const { energy_and_gradient(x, narrow_energies(x), gradient); }

void TrainableModel::gradient_reverse(ConstTiles x, ConstTiles v, Vector sum) {
  if (ones_.extent(0) < x.extent(0) || ones_.extent(1) < x.extent(2)) {
    ones_ = TileScalarStorage("weights of one", x.extent(0), x.extent(2));
    Kokkos::deep_copy(ones_, Real(1));
  }
  jet_forward(x, v, 1, {}, {}, {});
  jet_reverse(x, {}, Kokkos::subview(ones_, std::pair(std::size_t{0}, x.extent(0)), std::pair(std::size_t{0}, x.extent(2))), {}, sum);
}

}  // namespace partita
