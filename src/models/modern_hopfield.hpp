// The Hopfield network of continuous states (Ramsauer et al., ICLR 2021), with the patterns x_i as columns of X:
//   E(xi) = -(1/beta) log sum_i exp(beta x_i . xi) + xi'xi / 2,   dE/dxi = xi - X softmax(beta X'xi),   update xi <- X softmax(beta X'xi).
// At beta = 1 exp(-E) is a mixture of standard normal distributions around the patterns, with weights exp(|x_i|^2 / 2).
#pragma once
#include "core/random.hpp"
#include "deck/schema.hpp"
#include "models/associative_memory.hpp"
#include "models/model.hpp"

namespace partita {

struct ModernHopfieldOptions {
  Index dimension = 0;
  Index patterns = 0;
  double beta = 1;
  double radius = 0;
};
deck::Schema modern_hopfield_schema();

class ModernHopfield : public DifferentiableModel, public AssociativeMemory {
 public:
  // Has no patterns until remember() is called.
  ModernHopfield(Index dimension, double beta) : dimension_(dimension), beta_(beta) {}
  static Sizes sizes(ModernHopfieldOptions const& o) { return {o.dimension, o.dimension}; }

  Index dimension() const override { return dimension_; }
  double beta() const { return beta_; }
  Index patterns() const override { return patterns_; }
  void expect(Index patterns, Arrays) override;
  ConstVector memory() const { return memory_; }  // (pattern, dimension), row-major
  void remember(Vector patterns) { memory_ = patterns, patterns_ = extent(patterns, 0) / dimension_; }
  void remember(std::vector<double> const& points) override;
  void work(Arrays, Index tiles, Index lanes) const override;  // Failure(usage) without patterns
  double flops_per_evaluation() const override { return 4 * double(patterns() * dimension_); }

  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override;
  // y = X softmax(beta X'x), like x.
  void update(ConstTiles x, double beta, Tiles y) const;

 private:
  Index dimension_;
  double beta_;
  Index patterns_ = 0;
  Vector memory_;
  mutable TileStorage scores_;                  // (tile, pattern of a block, pitch)
  mutable TileScalarStorage highest_, weight_;  // (tile, pitch): the last update's log sum_i exp(beta x_i . x) is highest + log weight
};

// Independent patterns, uniform on the sphere of this radius, (pattern, dimension) row-major.
Vector patterns_on_sphere(Index dimension, Index patterns, double radius, random::Key);
std::unique_ptr<ModernHopfield> make_modern_hopfield(ModernHopfieldOptions const&, random::Key, Arrays = {});

}  // namespace partita
