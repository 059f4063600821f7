// The Model of an analytic energy: evaluated in one kernel, and advanced by each scheme in one kernel, all compiled in the energy's
// file.
#pragma once
#include "models/model.hpp"
#include "samplers/advance_fused.hpp"
#include "samplers/scheme_list.hpp"

namespace partita {

// advance_fused() of one scheme, for a Model with functor().
template <class Model, class Scheme>
class FusedStep : public Fused<Scheme> {
 protected:
  ~FusedStep() = default;

 private:
  void advance_fused(Scheme const& scheme, FusedCall const& call) const final {
    partita::advance_fused(scheme, static_cast<Model const&>(*this).functor(), call);
  }
};
template <class Model, class Schemes>
class FusedSteps;
template <class Model, class... Schemes>
class FusedSteps<Model, SchemeList<Schemes...>> : public FusedStep<Model, Schemes>... {};

template <class Energy, class Energies>
void evaluate_tiles(Energy const& e, ConstTiles x, Energies energy, Tiles gradient) {
  Index const tiles = extent(x, 0), strips = divide_up(extent(x, 2), strip_lanes);
  Index const pitch = Index(x.stride(1)), gradient_pitch = Index(gradient.stride(1));
  Kokkos::parallel_for(
      "partita::analytic_energy", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles * strips), KOKKOS_LAMBDA(Index n) {
        Index const tile = n / strips, lane = n % strips * strip_lanes;
        auto* const out = &energy(tile, 0) + lane;
        double sum[strip_lanes];
        evaluate(e, Rows<Real const>{&x(tile, 0, 0) + lane, pitch}, Rows<Real>{&gradient(tile, 0, 0) + lane, gradient_pitch}, sum);
        for (Index l = 0; l < strip_lanes; l++) out[l] = static_cast<typename Energies::non_const_value_type>(sum[l]);
      });
}

template <class Energy>
class AnalyticModel final : public DifferentiableModel, public FusedSteps<AnalyticModel<Energy>, AllSchemes> {
 public:
  explicit AnalyticModel(Energy e) : energy_(std::move(e)) {}
  Energy const& functor() const { return energy_; }
  Index dimension() const override { return energy_.dimension; }
  std::vector<GaussianMoments> gaussian() const override {
    if constexpr (requires { energy_.moments(); }) return {energy_.moments()};
    else return {};
  }
  std::optional<double> largest_curvature() const override {
    if constexpr (requires { energy_.largest_curvature(); }) return energy_.largest_curvature();
    else return Model::largest_curvature();
  }
  // Works in whole strips: the rows of all three arrays are padded to a multiple of strip_lanes, and the padding is written too.
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override {
    evaluate_tiles(energy_, x, energy, gradient);
  }
  void precise_energy_and_gradient(ConstTiles x, TileEnergies energy, Tiles gradient) const override {
    evaluate_tiles(energy_, x, energy, gradient);
  }
  void precise_energy(ConstTiles x, TileEnergies energy) const override { precise_energy_and_gradient(x, energy, unused_gradient(x)); }
  bool sums_in_double() const override {
    if constexpr (Energy::separable) return true;
    else return EnergyModel::sums_in_double() || Energy::sums_in_double;
  }

 private:
  Energy energy_;
};

template <class Energy>
std::unique_ptr<DifferentiableModel> analytic_model(Energy e) {
  return std::make_unique<AnalyticModel<Energy>>(std::move(e));
}

}  // namespace partita
