#include "models/model.hpp"

#include "core/copy.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"

namespace partita {

std::optional<double> Model::largest_curvature() const {
  auto const known = gaussian();
  return known.empty() ? std::nullopt : std::optional(largest_eigenvalue(known[0].precision));
}

Index parameter_count(Model const& model) {
  Index end = 0;
  for (ParameterBlock const& block : model.parameter_blocks()) {
    Index size = 1;
    for (Index e : block.extents) size *= e;
    end = std::max(end, block.offset + size);
  }
  // Not so where arrays are only listed. A block that a class forgets would be written beyond the end of sums of this length.
  auto const made = extent(model.parameters(), 0);
  require(made == 0 || made == end, ExitCode::internal, "parameter_blocks() name {} parameters of {}", end, made);
  return end;
}

ScoreModel const& score_of(Model const& model) {
  auto const* score = dynamic_cast<ScoreModel const*>(&model);
  require_all(
      score != nullptr, ExitCode::usage,
      "Langevin samplers follow the gradient of an energy in x, and the units of this model are discrete; use sampler.type = \"gibbs\"");
  return *score;
}

namespace {

void widen(ConstTileScalars from, TileEnergies to) {
  auto const lanes = extent(from, 1);
  Kokkos::parallel_for(
      "partita::widen_energies", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(from, 0) * lanes),
      KOKKOS_LAMBDA(Index n) { to(n / lanes, n % lanes) = double(from(n / lanes, n % lanes)); });
}

}  // namespace

void EnergyModel::work(Arrays arrays, Index tiles, Index lanes) const {
  arrays.grow(narrow_energies_, "energies in single precision", tiles, pitch_of(lanes));
}

TileScalars EnergyModel::narrow_energies(ConstTiles x) const {
  EnergyModel::work({}, extent(x, 0), extent(x, 2));
  return leading(narrow_energies_, extent(x, 0), extent(x, 2));
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

// Who wants energies alone has them tile by tile.
void DifferentiableModel::work(Arrays arrays, Index tiles, Index lanes) const {
  EnergyModel::work(arrays, tiles, lanes);
  gradient_work(arrays, 1, lanes);
}

void DifferentiableModel::gradient_work(Arrays arrays, Index tiles, Index lanes) const {
  arrays.grow(unused_gradient_, "gradient beside energies", tiles, dimension(), pitch_of(lanes));
}

Tiles DifferentiableModel::unused_gradient(ConstTiles x) const {
  gradient_work({}, extent(x, 0), extent(x, 2));
  return leading(unused_gradient_, extent(x, 0), dimension(), extent(x, 2));
}

void DifferentiableModel::energy(ConstTiles x, TileScalars energy) const { energy_and_gradient(x, energy, unused_gradient(x)); }

void DifferentiableModel::gradient(ConstTiles x, Tiles gradient) const { energy_and_gradient(x, narrow_energies(x), gradient); }

void TrainableModel::gradient_reverse(ConstTiles x, ConstTiles v, Vector sum) {
  Arrays().grow(ones_, "weights of one", extent(x, 0), extent(x, 2));
  fill_array(ones_, Real(1));
  jet_forward(x, v, 1, {}, {}, {});
  jet_reverse(x, {}, leading(ones_, extent(x, 0), extent(x, 2)), {}, sum);
}

}  // namespace partita
