// Sums over all states of small machines of binary units: of a restricted machine over those of its smaller layer, the other one summed out
// in closed form; of others over those of x.
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
  static bool possible(GibbsModel const&);  // there are no more units to enumerate than that

  // 2^units energies, shared by the ranks. Failure(usage) where it is not possible, Failure(numerical) for energies that are not finite.
  // Collective; the same bits on any number of ranks.
  Enumeration(GibbsModel&, Communicator const&);

  double log_z() const { return log_z_; }
  // x of these chains: independent draws from the model, keyed by chain number.
  void draw(Chains const&, random::Key) const;

 private:
  // Energies of the states of one tile, by lane.
  std::vector<double> energies(Index tile) const;

  GibbsModel& model_;
  Rbm const* restricted_;  // whose hidden units are enumerated; null: those of x are
  Index units_;
  Tiling tiling_;                    // of the states; unit i of state n is bit i of n
  TileStorage states_;               // of one tile
  TileScalarStorage energy_;         // likewise
  std::vector<double> log_weights_;  // log sum_n exp(-E_n) of every tile
  double log_z_ = 0;
};

}  // namespace partita
