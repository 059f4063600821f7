// Gaussian targets, E(x) = (x - mu)' H (x - mu) / 2 with precision H: diagonal, AR(1) or dense.
#pragma once
#include <string>

#include "core/lane_sums.hpp"
#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct DiagonalGaussian {
  static constexpr bool separable = true;
  Index dimension = 1;
  ConstVector mean, precision;  // (dimension)
  struct Coordinate {
    Real mean, precision, at_zero;  // gradient at x = 0: one multiply-add a gradient
    KOKKOS_FORCEINLINE_FUNCTION Real energy(Real x) const { return Real(0.5) * precision * (x - mean) * (x - mean); }
    KOKKOS_FORCEINLINE_FUNCTION Real gradient(Real x) const { return std::fma(precision, x, at_zero); }
  };
  KOKKOS_FORCEINLINE_FUNCTION Coordinate coordinate(Index i) const { return {mean(i), precision(i), -precision(i) * mean(i)}; }
  GaussianMoments moments() const;
};

// Stationary AR(1) chain of unit variance, correlation phi between neighbours: H = tridiagonal(-phi, 1 + phi^2, -phi) / (1 - phi^2), 1 at
// both ends.
struct AutoregressiveGaussian {
  static constexpr bool separable = false, sums_in_double = true;
  Index dimension = 1;
  Real correlation = 0;
  ConstVector mean;
  KOKKOS_FORCEINLINE_FUNCTION void energy_and_gradient(Rows<Real const> x, Rows<Real> g, double* energy) const {
    Real const scale = 1 / (1 - correlation * correlation), off = -correlation * scale, inner = (1 + correlation * correlation) * scale;
    Index const last = dimension - 1;
    LaneSums sums(energy);
    for (Index i = 0; i < dimension; i++) {
      Real const* here = x[i];
      Real const *before = x[i > 0 ? i - 1 : i], *after = x[i < last ? i + 1 : i];
      Real const m = mean(i), m_before = i > 0 ? mean(i - 1) : Real(0), m_after = i < last ? mean(i + 1) : Real(0);
      Real const to_before = i > 0 ? off : Real(0), to_after = i < last ? off : Real(0);
      Real const diagonal = dimension == 1 ? Real(1) : (i == 0 || i == last ? scale : inner);
      Real *gi = g[i], *sum = sums.next_row();
#pragma GCC ivdep
      for (int l = 0; l < strip_lanes; l++) {
        Real const d = here[l] - m;
        gi[l] = std::fma(diagonal, d, std::fma(to_before, before[l] - m_before, to_after * (after[l] - m_after)));
        sum[l] = std::fma(Real(0.5) * d, gi[l], sum[l]);
      }
    }
    sums.finish();
  }
  GaussianMoments moments() const;
};

class DenseGaussian : public DifferentiableModel {
 public:
  DenseGaussian(std::vector<double> mean, Matrix precision);
  Index dimension() const override { return moments_.precision.rows; }
  std::vector<GaussianMoments> gaussian() const override { return {moments_}; }
  void reserve(Index tiles, Index lanes) override;
  std::size_t work_bytes(Index tiles, Index lanes) const override;
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override;
  double flops_per_evaluation() const override { return 2. * static_cast<double>(dimension() * dimension()); }

 private:
  GaussianMoments moments_;
  Vector mean_, precision_;  // (dimension), (dimension x dimension) row-major
  TileStorage centred_;      // x - mean
};

struct GaussianOptions {
  Index dimension = 2;
  std::vector<double> mean = {0};
  std::string precision = "diagonal";
  std::vector<double> diagonal = {1};
  double correlation = 0.9;
  std::vector<double> matrix = {};
};
deck::Schema gaussian_schema();
std::unique_ptr<DifferentiableModel> make_gaussian(GaussianOptions const&);

}  // namespace partita
