// Likelihood of deep belief networks by draws of the hidden layers given the data: with w = p(v, h) / q(h | v), h the layers below the top
// machine's hidden one and p unnormalised as far as the top machine is, log p(v) >= E_q[log w] - log Z_top, the variational bound (Hinton,
// Osindero and Teh 2006), and log mean w - log Z_top estimates log p(v) from below on average (Salakhutdinov and Murray, ICML 2008).
#pragma once
#include "comm/communicator.hpp"
#include "estimators/importance.hpp"
#include "estimators/item_energies.hpp"
#include "models/deep_belief_network.hpp"

namespace partita {

// Means over the items, log Z_top left out.
struct DbnLikelihood {
  Estimate bound;  // error over items, in which that of the draws shows
  MeanOfLogs importance;
};
// With so many draws an item. The bound is never above the importance estimate. Collective; the same bits on any number of ranks.
DbnLikelihood dbn_likelihood(DeepBeliefNetwork const&, ItemTiles const&, Index draws, Communicator const&, random::Key);

}  // namespace partita
