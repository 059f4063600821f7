#include "models/analytic_model.hpp"

namespace partita {
namespace {

template <class Energy, class Energies>
void evaluate_tiles(Energy const& e, ConstTiles x, Energies energy, Tiles gradient) {
  Index const tiles = static_cast<Index>(x.extent(0)), strips = divide_up(static_cast<Index>(x.extent(2)), strip_lanes);
  Index const pitch = static_cast<Index>(x.stride(1)), gradient_pitch = static_cast<Index>(gradient.stride(1));
  Kokkos::parallel_for(
      "partita::analytic_energy", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles * strips), KOKKOS_LAMBDA(Index n) {
        Index const tile = n / strips, lane = n % strips * strip_lanes;
        auto* const out = &energy(tile, 0) + lane;
        double sum[strip_lanes];
        evaluate(e, Rows<Real const>{&x(tile, 0, 0) + lane, pitch}, Rows<Real>{&gradient(tile, 0, 0) + lane, gradient_pitch}, sum);
        for (Index l = 0; l < strip_lanes; l++) out[l] = static_cast<typename Energies::non_const_value_type>(sum[l]);
      });
}

}  // namespace

Index AnalyticModel::dimension() const {
  return std::visit([](auto const& e) { return e.dimension; }, energy_);
}

std::vector<GaussianMoments> AnalyticModel::gaussian() const {
  return std::visit(
      [](auto const& e) -> std::vector<GaussianMoments> {
        if constexpr (requires { e.moments(); }) return {e.moments()};
        else return {};
      },
      energy_);
}

bool AnalyticModel::sums_in_double() const {
  auto const of_energy = [](auto const& e) {
    using Energy = std::decay_t<decltype(e)>;
    if constexpr (Energy::separable) return true;
    else return Energy::sums_in_double;
  };
  return EnergyModel::sums_in_double() || std::visit(of_energy, energy_);
}

void AnalyticModel::energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const {
  std::visit([&](auto const& e) { evaluate_tiles(e, x, energy, gradient); }, energy_);
}

void AnalyticModel::precise_energy_and_gradient(ConstTiles x, TileEnergies energy, Tiles gradient) const {
  std::visit([&](auto const& e) { evaluate_tiles(e, x, energy, gradient); }, energy_);
}

}  // namespace partita
