#include "models/gaussian_mrf.hpp"

#include <cmath>
#include <numbers>

#include "core/dense.hpp"
#include "core/require.hpp"
#include "models/entry.hpp"
#include "models/host_values.hpp"

namespace partita {
namespace {

SparsePrecision from_matrix(std::vector<double> const& entries) {
  auto const d = Index(std::lround(std::sqrt(double(entries.size()))));
  require_all(d * d == std::ssize(entries), ExitCode::usage,
              "model.precision has {} entries (not a square number); give the d x d entries of J, row by row", entries.size());
  Matrix j(d, d);
  j.values = entries;
  SparsePrecision p;
  for (Index k = 0; k < d; k++) {
    p.diagonal.push_back(j(k, k));
    for (Index l = k + 1; l < d; l++) {
      require_all(j(k, l) == j(l, k), ExitCode::usage,
                  "model.precision is not symmetric (entries {},{} and {},{} differ); give J such that x'J x is the quadratic form", k, l,
                  l, k);
      if (j(k, l) != 0) p.edges.push_back({k, l}), p.couplings.push_back(j(k, l));
    }
  }
  require_all(is_positive_definite(j), ExitCode::usage,
              "model.precision is not positive definite (exp(-x'J x / 2) has no finite integral: some direction is not confined); make "
              "its diagonal larger or its couplings weaker, or check its eigenvalues");
  return p;
}

void require_lattice(GaussianMrfOptions const& o) {
  require_all(o.rows > 0 && o.columns > 0, ExitCode::usage,
              "model.precision is empty, and model.rows = {} and model.columns = {} do not make a lattice; give one or the other", o.rows,
              o.columns);
  partita::require_lattice(o.rows, o.columns, o.periodic);
}

// J = stiffness times the lattice's Laplacian + mass^2: E = sum_bonds stiffness (x_i - x_j)^2 / 2 + sum_i mass^2 x_i^2 / 2.
SparsePrecision from_lattice(GaussianMrfOptions const& o) {
  require_lattice(o);
  SparsePrecision p{lattice_edges(o.rows, o.columns, o.periodic), {}, {}};
  p.diagonal.assign(o.rows * o.columns, o.mass * o.mass);
  p.couplings.assign(p.edges.size(), -o.stiffness);
  for (Edge const& e : p.edges)
    for (Index i : {e.first, e.second}) p.diagonal[i] += o.stiffness;
  return p;
}

void require_potential(GaussianMrfOptions const& o, std::size_t units) {
  require_all(o.potential.size() == 1 || o.potential.size() == units, ExitCode::usage,
              "model.potential has {} values, but there are {} units; give one value, or one for each unit", o.potential.size(), units);
}
std::vector<double> potential(GaussianMrfOptions const& o, std::size_t units) {
  return o.potential.size() == units ? o.potential : std::vector<double>(units, o.potential.front());
}

// A draw of a unit given its field.
struct GibbsDraw {
  Real mean, slope, deviation;
  bool odd;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real field, std::uint32_t own, std::uint32_t other) const {
    auto const [a, b] = random::normal_pair(odd ? other : own, odd ? own : other, Real());
    return std::fma(deviation, odd ? b : a, std::fma(slope, field, mean));
  }
};

// What a unit has of the energy besides its pairs.
struct UnitEnergy {
  Real quadratic, linear, of_reference, centre;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real unit) const {
    Real const away = unit - centre;
    return std::fma(std::fma(quadratic, unit, -linear), unit, of_reference * away * away);
  }
};

}  // namespace

deck::Schema gaussian_mrf_schema() {
  using O = GaussianMrfOptions;
  return deck::schema<O>(
      "gaussian_mrf", "E(x) = x'J x / 2 - g'x, for Gibbs and for Langevin samplers",
      {deck::key("precision", &O::precision, "the d x d entries of J, row by row; left out: the lattice of the other keys")
           .excludes({"rows", "columns", "stiffness", "mass", "periodic"}),
       deck::key("rows", &O::rows, "lattice: number of rows of sites").at_least(1),
       deck::key("columns", &O::columns, "lattice: number of columns of sites").at_least(1),
       deck::key("stiffness", &O::stiffness, "lattice: stiffness k of the bonds between neighbours, k (x_i - x_j)^2 / 2").at_least(0),
       deck::key("mass", &O::mass, "lattice: mass m of each site, m^2 x_i^2 / 2").above(0),
       deck::key("periodic", &O::periodic, "lattice: whether bonds join opposite edges"),
       deck::key("potential", &O::potential, "linear term g: one value for all coordinates, or d values")});
}

GaussianMrf::GaussianMrf(SparsePrecision precision, std::vector<double> potential, Arrays arrays)
    : precision_(std::move(precision)),
      potential_host_(std::move(potential)),
      graph_(std::ssize(precision_.diagonal), std::ssize(precision_.edges), precision_.edges, arrays),
      coupling_(to_device(precision_.couplings, "couplings", arrays)),
      diagonal_(to_device(precision_.diagonal, "diagonal of J", arrays)),
      potential_(to_device(potential_host_, "potential", arrays)),
      reference_mean_(arrays.make<Vector>("reference mean", graph_.units())),
      reference_precision_(arrays.make<Vector>("reference precision", graph_.units())) {
  if (!arrays.makes()) return;
  std::vector<double> mean;
  for (std::size_t k = 0; k < potential_host_.size(); k++) mean.push_back(potential_host_[k] / precision_.diagonal[k]);
  assign(reference_mean_, mean);
  assign(reference_precision_, precision_.diagonal);
}

namespace {
SparsePrecision precision_of(GaussianMrfOptions const& o) { return o.precision.empty() ? from_lattice(o) : from_matrix(o.precision); }
}  // namespace

Sizes GaussianMrf::sizes(GaussianMrfOptions const& o) {
  if (o.precision.empty()) require_lattice(o);
  Index const units = o.precision.empty() ? o.rows * o.columns : std::ssize(from_matrix(o.precision).diagonal);
  require_potential(o, std::size_t(units));
  return {units, units};
}

GaussianMrf::GaussianMrf(GaussianMrfOptions const& o, Arrays arrays)
    : GaussianMrf(precision_of(o), partita::potential(o, sizes(o).dimension), arrays) {}

void GaussianMrf::work(Arrays arrays, Index tiles, Index lanes) const { DifferentiableModel::work(arrays, tiles, lanes); }

std::vector<GaussianMoments> GaussianMrf::gaussian() const {
  Index const d = dimension();
  if (d > dense_limit) return {};
  Matrix j(d, d), g(d, 1);
  for (Index k = 0; k < d; k++) j(k, k) = precision_.diagonal[k];
  for (std::size_t e = 0; e < precision_.edges.size(); e++) {
    auto const [k, l] = precision_.edges[e];
    j(k, l) = j(l, k) = precision_.couplings[e];
  }
  g.values = potential_host_;
  return {{solve(j, g).values, j}};
}

// In double: far from 0 the quadratic and the linear part are large and nearly cancel.
template <class Energies>
void GaussianMrf::evaluate(ConstTiles x, Energies energy, Tiles gradient) const {
  Index const lanes = extent(x, 2), strips = divide_up(lanes, strip_lanes), pitch = Index(x.stride(1));
  Index const units = dimension();
  ConstVector const weight = coupling_, diagonal = diagonal_, g = potential_;
  auto const neighbours = graph_.neighbours;
  Kokkos::parallel_for(
      "partita::gaussian_mrf_gradient", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(x, 0) * strips),
      KOKKOS_LAMBDA(Index n) {
        Index const lane = n % strips * strip_lanes, tile = n / strips;
        Index const here = lanes - lane < strip_lanes ? lanes - lane : strip_lanes;
        Rows<Real const> const rows{&x(tile, 0, lane), pitch};
        double total[strip_lanes] = {};
        for (Index k = 0; k < units; k++) {
          double field[strip_lanes] = {};
          neighbours.add(k, units, weight, rows, here, field);
          Real const* const row = rows[k];
          Real* const out = &gradient(tile, k, lane);
          double const stiffness = double(diagonal(k)), pull = double(g(k));
#pragma GCC ivdep
          for (Index l = 0; l < here; l++) {
            double const unit = double(row[l]), force = std::fma(stiffness, unit, field[l] - pull);
            out[l] = Real(force);
            total[l] = std::fma(0.5 * unit, force - pull, total[l]);
          }
        }
        for (Index l = 0; l < here; l++) energy(tile, lane + l) = static_cast<typename Energies::non_const_value_type>(total[l]);
      });
}

void GaussianMrf::energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const { evaluate(x, energy, gradient); }
void GaussianMrf::precise_energy_and_gradient(ConstTiles x, TileEnergies energy, Tiles gradient) const { evaluate(x, energy, gradient); }

void GaussianMrf::sweep(Tiles x, Sweep const& sweep) const {
  ConstVector const diagonal = diagonal_, g = potential_, m = reference_mean_, t = reference_precision_;
  Real const beta = Real(sweep.beta);
  sweep_classes(
      "partita::gaussian_mrf_sweep", graph_, coupling_, x, sweep, KOKKOS_LAMBDA(Index i, Index k) {
        Real const precision = std::fma(beta, diagonal(i), (1 - beta) * t(i));
        Real const mean = std::fma(beta, g(i), (1 - beta) * t(i) * m(i)) / precision;
        return GibbsDraw{mean, -beta / precision, 1 / std::sqrt(precision), k % 2 == 1};
      });
}

void GaussianMrf::path_energy(ConstTiles x, double beta, TileScalars energy) const {
  ConstVector const diagonal = diagonal_, g = potential_, m = reference_mean_, t = reference_precision_;
  Real const of_reference = Real(1 - beta), of_model = Real(beta);
  pair_energies(
      "partita::gaussian_mrf_energy", graph_, coupling_, of_model, x,
      KOKKOS_LAMBDA(Index i) {
        return UnitEnergy{Real(0.5) * of_model * diagonal(i), of_model * g(i), Real(0.5) * of_reference * t(i), m(i)};
      },
      KOKKOS_LAMBDA(Index tile, Index lane, double e) { energy(tile, lane) = Real(e); });
}

void GaussianMrf::set_reference(UnitMoments const& moments) {
  std::vector<double> precision;
  for (std::size_t k = 0; k < moments.variance.size(); k++) {
    require_all(moments.variance[k] > 0, ExitCode::data,
                "unit {} has the same value in all items (its reference N(mean, variance) has no density); leave it out, or add noise", k);
    precision.push_back(1 / moments.variance[k]);
  }
  assign(reference_mean_, moments.mean);
  assign(reference_precision_, precision);
}

double GaussianMrf::log_z_reference() const {
  double sum = 0;
  for (double t : to_host(reference_precision_)) sum += std::log(2 * std::numbers::pi / t) / 2;
  return sum;
}

ModelEntry gaussian_mrf_model() {
  return {{gaussian_mrf_schema(), [](deck::Block const& b, random::Key,
                                     Arrays arrays) { return std::make_unique<GaussianMrf>(b.as<GaussianMrfOptions>(), arrays); }},
          Capabilities::of<GaussianMrf>(),
          sizes_by_options<GaussianMrf, GaussianMrfOptions>};
}

}  // namespace partita
