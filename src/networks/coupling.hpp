// Additive couplings (Dinh, Krueger, Bengio, NICE, 2015): F = F_K o ... o F_1, where F_k leaves half of the coordinates as they are and
// adds to the others a network's function of them: x_B <- x_B + N_k(x_A). So |det dF/dz| = 1, and F^-1 subtracts in reverse order.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/arrays.hpp"
#include "networks/mlp.hpp"

namespace partita {

// The halves A: even and odd coordinates by turns, or a random half and its complement by turns.
enum class Masks { alternating, random };

// Stores only the masks: the caller holds the parameters theta, one flat vector with the networks one after the other. States are tiles
// (tile, dimension, lane), changed in place; each lane is independent of the others.
class Couplings {
 public:
  // Networks with these hidden widths. Random halves depend on the seed alone. Failure(usage) below two coordinates.
  Couplings(Index dimension, Index count, std::vector<Index> const& hidden, Activation, Masks, std::uint64_t mask_seed, Arrays = {});

  Index dimension() const { return dimension_; }
  Index count() const { return std::ssize(layers_); }
  Mlp const& network(Index k) const { return layers_[k].network; }
  Index offset(Index k) const { return layers_[k].offset; }  // of network k in theta
  std::vector<Index> kept(Index k) const;                    // A of coupling k, ascending
  Index parameter_count() const { return parameter_count_; }

  // Number of elements of the tape, the caller's work memory, for one tile; forward stores there what reverse needs, inverse uses it.
  Index tape_elements(Index lanes) const;
  void forward(ConstVector theta, Tiles state, Real* tape) const;
  void inverse(ConstVector theta, Tiles state, Real* tape) const;
  // After forward, whose tape it overwrites: turns `gradient` = dS/dF into dS/dz, and sum += dS/dtheta.
  void reverse(ConstVector theta, Tiles gradient, Real* tape, Vector sum) const;

 private:
  struct Layer {
    DeviceVector<Index> kept, shifted;
    Mlp network;
    Index offset;
  };
  struct Pass;  // layout of a call's work memory
  void add_shift(Index k, Real sign, ConstVector theta, Tiles state, Pass const&) const;

  Index dimension_;
  std::vector<Layer> layers_;
  Index parameter_count_ = 0;
};

}  // namespace partita
