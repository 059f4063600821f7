// The network of Hopfield (PNAS 79, 1982): units s_i = -1 or 1 that remember P patterns by Hebb's rule,
//   E(s) = -1/2 s'W s,   W = (1/N) sum_mu xi^mu xi^mu' with zero diagonal,   p(s) ~ exp(-beta E(s)).
// W is never formed. With the patterns as columns of X (N, P) and their overlaps m = X's with the state, the units' fields are
// h = W s = (X m - P s) / N: two thin products. N h and m are whole numbers, exact in float where N P < 2^24: recall at T = 0 has the same
// bits however sums are ordered.
#pragma once
#include "deck/schema.hpp"
#include "models/associative_memory.hpp"
#include "models/gibbs_model.hpp"

namespace partita {

struct HopfieldOptions {
  Index units = 0;
  Index patterns = 0;
  double beta = 10;
};
deck::Schema hopfield_schema();

// X (unit, pattern), row-major, of independent signs. `which` numbers independent sets.
Vector random_patterns(Index units, Index patterns, random::Key, Index which = 0);

enum class Order { one_by_one, together };

// Its reference distribution is that of independent, unbiased units.
class Hopfield : public GibbsModel, public AssociativeMemory {
 public:
  explicit Hopfield(Index units, double beta = 1) : units_(units), beta_(beta) {}
  static Sizes sizes(HopfieldOptions const& o) { return {o.units, o.units}; }

  Index dimension() const override { return units_; }
  std::vector<double> unit_values() const override { return {-1, 1}; }
  Index patterns() const override { return patterns_; }
  void expect(Index patterns, Arrays) override;
  void remember(Vector patterns);                              // X (unit, pattern)
  void remember(std::vector<double> const& points) override;   // entries above 1/2 as 1, others as -1
  void work(Arrays, Index tiles, Index lanes) const override;  // Failure(usage) without patterns

  // Draws one unit after the other, each from p(s_i = 1 | rest) = sigmoid(2 beta h_i).
  void sweep(Tiles x, Sweep const&) const override;
  // One sweep at T = 0, s_i <- sign(h_i); a unit with zero field does not change. One by one, so that the energy never rises, or all
  // together, when the network may end in a cycle of two states.
  void recall(Tiles x, Order) const;
  void path_energy(ConstTiles x, double beta, TileScalars energy) const override;
  void set_reference(UnitMoments const&) override {}
  double log_z_reference() const override;

 public:  // what holds kernels: nvcc refuses it otherwise
  template <class Rule>
  void update(Tiles x, Order, Rule const&, Sweep const&) const;

 private:
  Tiles overlaps(ConstTiles x) const;  // m, (tile, pattern, lane)
  void make_couplings(Arrays);

  Index units_, patterns_ = 0;
  double beta_;
  Vector memory_, couplings_;  // X; N W between the units of each block, (unit, block)
  mutable TileStorage overlaps_, fields_;
};

std::unique_ptr<Hopfield> make_hopfield(HopfieldOptions const&, random::Key, Arrays = {});

}  // namespace partita
