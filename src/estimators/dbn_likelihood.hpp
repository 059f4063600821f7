// Likelihood of deep belief networks by draws of the hidden layers given the data: with w = p(v, h) / q(h | v), h the layers below the top
// machine's hidden one and p unnormalised as far as the top machine is, log p(v) >= E_q[log w] - log Z_top, the variational bound (Hinton,
// Osindero and Teh 2006), and log mean w - log Z_top estimates log p(v) from below on average (Salakhutdinov and Murray, ICML 2008).
#pragma once
#include "comm/communicator.hpp"
#include "estimators/importance.hpp"
#include "estimators/item_energies.hpp"
#include "models/deep_belief_network.hpp"

namespace partita {

// Means over the items, without log Z_top.
struct DbnLikelihood {
  Estimate bound;  // standard error over items, which includes the error of the draws
  MeanOfLogs importance;
};
// `draws` per item. The bound is never above the importance estimate. Collective; the same bits on any number of ranks.
DbnLikelihood dbn_likelihood(DeepBeliefNetwork const&, ItemTiles const&, Index draws, Communicator const&, random::Key);
// Lists what it holds for so many items.
void list_dbn_likelihood(Arrays, DeepBeliefNetwork const&, Index items, Index draws);

}  // namespace partita
