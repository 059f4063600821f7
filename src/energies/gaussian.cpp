#include "energies/gaussian.hpp"

#include <algorithm>

#include "core/dense.hpp"
#include "core/lane_sums.hpp"
#include "core/matrix_product.hpp"
#include "core/require.hpp"
#include "energies/analytic_model.hpp"
#include "models/host_values.hpp"

namespace partita {

struct DiagonalGaussian {
  static constexpr bool separable = true;
  Index dimension = 1;
  ConstVector mean, precision;  // (dimension)
  struct Coordinate {
    Real mean, precision, at_zero;  // gradient at x = 0: a gradient then takes one multiply-add
    KOKKOS_FORCEINLINE_FUNCTION Real energy(Real x) const { return Real(0.5) * precision * (x - mean) * (x - mean); }
    KOKKOS_FORCEINLINE_FUNCTION Real gradient(Real x) const { return std::fma(precision, x, at_zero); }
  };
  KOKKOS_FORCEINLINE_FUNCTION Coordinate coordinate(Index i) const { return {mean(i), precision(i), -precision(i) * mean(i)}; }
  GaussianMoments moments() const;
  double largest_curvature() const;
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
  double largest_curvature() const;
};

class DenseGaussian : public DifferentiableModel {
 public:
  DenseGaussian(std::vector<double> mean, Matrix precision, Arrays);
  Index dimension() const override { return moments_.precision.rows; }
  std::vector<GaussianMoments> gaussian() const override { return {moments_}; }
  void work(Arrays, Index tiles, Index lanes) const override;
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override;
  double flops_per_evaluation() const override { return 2. * double(dimension() * dimension()); }

 private:
  GaussianMoments moments_;
  Vector mean_, precision_;      // (dimension), (dimension x dimension) row-major
  mutable TileStorage centred_;  // x - mean
};

namespace {

// d values from a list in the deck: d values as they are, one repeated, or two as the ends of an evenly spaced list.
std::vector<double> spread(std::vector<double> const& given, Index d, char const* name) {
  auto const n = std::ssize(given);
  require_all(n == d || n == 1 || (n == 2 && d > 2), ExitCode::usage,
              "model.{} has {} values (model.dimension is {}); give one value, {} values, or the two ends of an evenly spaced list", name,
              n, d, d);
  if (n == d) return given;
  std::vector<double> out(d);
  for (Index i = 0; i < d; i++) {
    double const t = d > 1 ? double(i) / double(d - 1) : 0;
    out[i] = given.front() + t * (given.back() - given.front());
  }
  return out;
}

Matrix matrix_from(GaussianOptions const& o) {
  require_all(std::ssize(o.matrix) == o.dimension * o.dimension, ExitCode::usage,
              "model.matrix has {} entries ({} x {} are needed, row by row)", o.matrix.size(), o.dimension, o.dimension);
  Matrix h(o.dimension, o.dimension);
  h.values = o.matrix;
  for (Index i = 0; i < h.rows; i++)
    for (Index j = 0; j < i; j++)
      require_all(h(i, j) == h(j, i), ExitCode::usage,
                  "model.matrix is not symmetric (entries {},{} and {},{} differ); give a symmetric precision matrix", i, j, j, i);
  require_all(is_positive_definite(h), ExitCode::usage,
              "model.matrix is not positive definite (the Gaussian has no finite Z); check its eigenvalues");
  return h;
}

}  // namespace

GaussianMoments DiagonalGaussian::moments() const {
  GaussianMoments m{to_host(mean), Matrix(dimension, dimension)};
  auto const p = to_host(precision);
  for (Index i = 0; i < dimension; i++) m.precision(i, i) = p[i];
  return m;
}

GaussianMoments AutoregressiveGaussian::moments() const {
  GaussianMoments m{to_host(mean), Matrix(dimension, dimension)};
  double const phi = correlation, scale = dimension > 1 ? 1 / (1 - phi * phi) : 1;
  for (Index i = 0; i < dimension; i++) {
    bool const end = i == 0 || i == dimension - 1;
    m.precision(i, i) = end ? scale : scale * (1 + phi * phi);
    if (i > 0) m.precision(i, i - 1) = m.precision(i - 1, i) = -phi * scale;
  }
  return m;
}

double DiagonalGaussian::largest_curvature() const {
  auto const p = to_host(precision);
  return *std::max_element(p.begin(), p.end());
}

// Of a long chain the limit, from which the largest eigenvalue is away by a part of order 1 / dimension^2.
double AutoregressiveGaussian::largest_curvature() const {
  constexpr Index long_chain = 1024;
  double const phi = std::abs(double(correlation));
  return dimension > long_chain ? (1 + phi) / (1 - phi) : largest_eigenvalue(moments().precision);
}

DenseGaussian::DenseGaussian(std::vector<double> mean, Matrix precision, Arrays arrays)
    : moments_{mean, precision},
      mean_(to_device(mean, "gaussian mean", arrays)),
      precision_(to_device(precision.values, "gaussian precision", arrays)) {}

void DenseGaussian::work(Arrays arrays, Index tiles, Index lanes) const {
  DifferentiableModel::work(arrays, tiles, lanes);
  arrays.grow(centred_, "gaussian centred", tiles, dimension(), pitch_of(lanes));
}

void DenseGaussian::energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const {
  Index const tiles = extent(x, 0), d = dimension(), lanes = extent(x, 2);
  auto const centred = centred_;
  auto const mean = mean_;
  Kokkos::parallel_for(
      "partita::gaussian_centre", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles * d), KOKKOS_LAMBDA(Index n) {
        Index const tile = n / d, i = n % d;
        Real const* from = &x(tile, i, 0);
        Real* to = &centred(tile, i, 0);
        Real const m = mean(i);
        for (Index l = 0; l < lanes; l++) to[l] = from[l] - m;
      });
  Index const pitch = extent(centred, 2), gradient_pitch = Index(gradient.stride(1));
  matrix_product({d, lanes, d}, {precision_.data(), d}, {centred.data(), pitch, Form::plain, d * pitch},
                 {gradient.data(), gradient_pitch, 1, 0, Index(gradient.stride(0))}, tiles);
  Kokkos::parallel_for(
      "partita::gaussian_energy", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles), KOKKOS_LAMBDA(Index tile) {
        Real* e = &energy(tile, 0);
        for (Index l = 0; l < lanes; l++) e[l] = 0;
        for (Index i = 0; i < d; i++) {
          Real const *c = &centred(tile, i, 0), *g = &gradient(tile, i, 0);
          for (Index l = 0; l < lanes; l++) e[l] = std::fma(Real(0.5) * c[l], g[l], e[l]);
        }
      });
}

deck::Schema gaussian_schema() {
  using O = GaussianOptions;
  return deck::schema<O>(
      "gaussian", "E(x) = (x - mu)' H (x - mu) / 2",
      {deck::key("dimension", &O::dimension, "number of coordinates d").at_least(1),
       deck::key("mean", &O::mean, "mean mu: one value for all coordinates, d values, or the first and last of d evenly spaced values"),
       deck::key("precision", &O::precision,
                 "form of the precision matrix H: diagonal; ar1, unit variances and equal correlations of neighbours; dense, any matrix")
           .one_of({"diagonal", "ar1", "dense"}),
       deck::key("diagonal", &O::diagonal,
                 "diagonal of H: one value for all coordinates, d values, or the first and last of d evenly spaced values")
           .above(0)
           .only_with("precision", {"diagonal"}),
       deck::key("correlation", &O::correlation, "correlation of neighbouring coordinates, whose variances are 1")
           .above(-1)
           .below(1)
           .only_with("precision", {"ar1"}),
       deck::key("matrix", &O::matrix, "the d x d entries of H, row by row").only_with("precision", {"dense"})});
}

std::unique_ptr<DifferentiableModel> make_gaussian(GaussianOptions const& o, Arrays arrays) {
  auto const mean = spread(o.mean, o.dimension, "mean");
  if (o.precision == "dense") return std::make_unique<DenseGaussian>(mean, matrix_from(o), arrays);
  // Made where arrays are only listed, too: moments() are read from them.
  auto const on_device = [&](std::vector<double> const& values, char const* name) {
    arrays.count<Real>(name, values.size());
    return to_device(values, name);
  };
  Vector const mean_on_device = on_device(mean, "gaussian mean");
  if (o.precision == "ar1") return analytic_model(AutoregressiveGaussian{o.dimension, Real(o.correlation), mean_on_device});
  return analytic_model(
      DiagonalGaussian{o.dimension, mean_on_device, on_device(spread(o.diagonal, o.dimension, "diagonal"), "gaussian precision")});
}

}  // namespace partita
