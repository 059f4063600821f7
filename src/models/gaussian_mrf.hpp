// Gaussian Markov random fields: p(x) ~ exp(-1/2 x'J x + g'x), mean J^-1 g, drawn unit by unit from
//   x_k | rest ~ N((g_k - sum_{j != k} J_kj x_j) / J_kk, 1 / J_kk)   (Rue and Held, Gaussian Markov Random Fields, 2005, theorem 2.3),
// units that J does not couple at the same time. Langevin samplers use dE/dx = J x - g.
//
// The path to the reference, independent units N(m_k, 1 / t_k): -log p*_beta = beta E + (1 - beta) sum_k t_k (x_k - m_k)^2 / 2. Until it is
// set, the reference is the field without its couplings, m_k = g_k / J_kk and t_k = J_kk.
#pragma once
#include "deck/schema.hpp"
#include "models/coupling_graph.hpp"

namespace partita {

struct GaussianMrfOptions {
  std::vector<double> precision = {};
  Index rows = 0, columns = 0;
  double stiffness = 1, mass = 1;
  bool periodic = true;
  std::vector<double> potential = {0};
};
deck::Schema gaussian_mrf_schema();

// J by its entries J_ij of the coupled pairs, one per edge, and its diagonal.
struct SparsePrecision {
  std::vector<Edge> edges;
  std::vector<double> couplings, diagonal;
};

class GaussianMrf : public GibbsModel, public DifferentiableModel {
 public:
  // J must be positive definite.
  GaussianMrf(SparsePrecision, std::vector<double> potential, Arrays = {});
  // Failure(usage) where the deck's J is not a precision matrix.
  explicit GaussianMrf(GaussianMrfOptions const&, Arrays = {});
  static Sizes sizes(GaussianMrfOptions const&);

  Index dimension() const override { return graph_.units(); }
  // For up to `dense_limit` units, since they need dense matrices.
  static constexpr Index dense_limit = 1024;
  std::vector<GaussianMoments> gaussian() const override;

  void energy(ConstTiles x, TileScalars energy) const override { path_energy(x, 1, energy); }
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override;
  void precise_energy_and_gradient(ConstTiles x, TileEnergies energy, Tiles gradient) const override;
  void precise_energy(ConstTiles x, TileEnergies energy) const override { precise_energy_and_gradient(x, energy, unused_gradient(x)); }
  bool sums_in_double() const override { return true; }
  double flops_per_evaluation() const override { return 4. * double(dimension() + graph_.edges()); }

  void work(Arrays arrays, Index tiles, Index lanes) const override;
  void sweep(Tiles x, Sweep const&) const override;
  void path_energy(ConstTiles x, double beta, TileScalars energy) const override;
  // Failure(data) for a unit without variance.
  void set_reference(UnitMoments const&) override;
  double log_z_reference() const override;

 public:  // what holds kernels: nvcc refuses it otherwise
  template <class Energies>
  void evaluate(ConstTiles x, Energies, Tiles gradient) const;

 private:
  SparsePrecision precision_;
  std::vector<double> potential_host_;
  CouplingGraph graph_;
  Vector coupling_;                              // (edges)
  Vector diagonal_, potential_;                  // J_kk and g
  Vector reference_mean_, reference_precision_;  // m and t
};

}  // namespace partita
