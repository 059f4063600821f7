// The Model of an analytic energy: evaluation in one kernel, and access to the functor for samplers that fuse it into theirs.
#pragma once
#include "core/lane_sums.hpp"
#include "models/analytic_energies.hpp"
#include "models/model.hpp"

namespace partita {

// E and dE/dx of a strip, whichever kind the energy is. x and g may not overlap.
template <class Energy>
KOKKOS_FORCEINLINE_FUNCTION void evaluate(Energy const& e, Rows<Real const> x, Rows<Real> g, double* energy) {
  if constexpr (Energy::separable) {
    LaneSums sums(energy);
    for (Index i = 0; i < e.dimension; i++) {
      Real const* xi = x[i];
      Real *gi = g[i], *sum = sums.next_row();
      auto const coordinate = e.coordinate(i);
#pragma GCC ivdep
      for (int l = 0; l < strip_lanes; l++) {
        sum[l] += coordinate.energy(xi[l]);
        gi[l] = coordinate.gradient(xi[l]);
      }
    }
    sums.finish();
  } else {
    e.energy_and_gradient(x, g, energy);
  }
}

class AnalyticModel : public DifferentiableModel {
 public:
  explicit AnalyticModel(AnalyticEnergy e) : energy_(std::move(e)) {}
  AnalyticEnergy const& analytic() const { return energy_; }
  Index dimension() const override;
  std::vector<GaussianMoments> gaussian() const override;
  // Works in whole strips: rows of all three are stored up to a multiple of strip_lanes, and written there.
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override;
  void precise_energy_and_gradient(ConstTiles x, TileEnergies energy, Tiles gradient) const override;
  void precise_energy(ConstTiles x, TileEnergies energy) const override { precise_energy_and_gradient(x, energy, unused_gradient(x)); }
  bool sums_in_double() const override;

 private:
  AnalyticEnergy energy_;
};

}  // namespace partita
