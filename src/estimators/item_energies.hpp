// Averages over items under models of units: free energies and pseudo-likelihoods. Items are in tiles, which the ranks share; the same
// bits on any number of ranks. Collective.
#pragma once
#include <functional>

#include "comm/communicator.hpp"
#include "estimators/sample_set.hpp"
#include "models/gibbs_model.hpp"

namespace partita {

// `count` items; chain c of the tiling has the visible units of item c.
struct ItemTiles {
  Index count = 0;
  std::function<void(TileStorage to, Tiling const&, TileRange)> fill;
};

// F(v) = -log sum_h exp(-E(v, h)); hidden units that the model does not sum out are enumerated, up to this number.
constexpr Index most_hidden_enumerated = 16;
// Failure(usage) for models with more such hidden units.
void require_free_energies(GibbsModel const&);
// Mean over the items with its standard error, of a model that has free energies.
Estimate mean_free_energy(GibbsModel&, ItemTiles const&, Communicator const&);

// Lists what these averages hold.
void list_item_energies(Arrays, GibbsModel const&);

// Mean of sum_k log p(v_k | other visible units) (Besag 1975) over the items, exact. Failure(usage) unless the units are binary.
Estimate mean_pseudo_likelihood(GibbsModel&, ItemTiles const&, Communicator const&);

}  // namespace partita
