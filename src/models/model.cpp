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

void DifferentiableModel::energy(ConstTiles x, TileScalars energy) const {
  auto const tiles = static_cast<Index>(x.extent(0)), lanes = static_cast<Index>(x.extent(2)), pitch = round_up(lanes, pitch_quantum);
  if (static_cast<Index>(unused_gradient_.extent(0)) < tiles || static_cast<Index>(unused_gradient_.extent(2)) < pitch)
    unused_gradient_ = TileStorage("gradient of energies", tiles, dimension(), pitch);
  energy_and_gradient(x, energy, Kokkos::subview(unused_gradient_, std::pair(Index{0}, tiles), Kokkos::ALL, std::pair(Index{0}, lanes)));
}

void DifferentiableModel::gradient(ConstTiles x, Tiles gradient) const {
  auto const tiles = static_cast<Index>(x.extent(0)), lanes = static_cast<Index>(x.extent(2)), pitch = round_up(lanes, pitch_quantum);
  if (static_cast<Index>(unused_energy_.extent(0)) < tiles || static_cast<Index>(unused_energy_.extent(1)) < pitch)
    unused_energy_ = TileScalarStorage("energy of gradients", tiles, pitch);
  energy_and_gradient(x, Kokkos::subview(unused_energy_, std::pair(Index{0}, tiles), std::pair(Index{0}, lanes)), gradient);
}

void TrainableModel::gradient_reverse(ConstTiles x, ConstTiles v, Vector sum) {
  if (ones_.extent(0) < x.extent(0) || ones_.extent(1) < x.extent(2)) {
    ones_ = TileScalarStorage("weights of one", x.extent(0), x.extent(2));
    Kokkos::deep_copy(ones_, Real(1));
  }
  jet_forward(x, v, 1, {}, {}, {});
  jet_reverse(x, {}, Kokkos::subview(ones_, std::pair(std::size_t{0}, x.extent(0)), std::pair(std::size_t{0}, x.extent(2))), {}, sum);
}

}  // namespace partita
