// Sums over all states of small machines of binary units. For a restricted machine these are the states of its smaller layer, the other one
// is summed out in closed form; for other machines the states of x.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "samplers/chains.hpp"

namespace partita {

class GibbsModel;
class Rbm;

class Enumeration {
 public:
  static constexpr Index most_units = 25;
  static bool possible(GibbsModel const&);  // whether the units are binary and not too many to enumerate

  // Computes 2^units energies, shared by the ranks. Failure(usage) where this is not possible, Failure(numerical) for non-finite energies.
  // Collective; the same bits on any number of ranks.
  Enumeration(GibbsModel&, Communicator const&);

  double log_z() const { return log_z_; }
  // Sets x of these chains to independent draws from the model, keyed by chain number.
  void draw(Chains const&, random::Key) const;

 public:  // what holds kernels: nvcc refuses it otherwise
  // Energies of the states of one tile, by lane.
  std::vector<double> energies(Index tile) const;

 private:
  GibbsModel& model_;
  Rbm const* restricted_;  // the rbm whose hidden units are enumerated; null: x is enumerated
  Index units_;
  Tiling tiling_;                    // of the states; unit i of state n is bit i of n
  TileStorage states_;               // of one tile
  TileScalarStorage energy_;         // likewise
  std::vector<double> log_weights_;  // log sum_n exp(-E_n) of every tile
  double log_z_ = 0;
};

}  // namespace partita
