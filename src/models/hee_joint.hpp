// The joint distribution p(x_0:L) of an HEE: independent samples, and its density.
#pragma once
#include "models/hee.hpp"

namespace partita {

// Independent draws of all layers: x_L from p(x_L), then downwards. x[l], l = 0 .. L, of extents (tile, n_l, pitch), holds this rank's
// tiles `mine`. Keyed by chain number and `step`: a chain's bits do not depend on the ranks. As exact as sample_conditional; with lateral
// connections each call inverts one matrix per layer, (n_l)^3 operations on the host. Failure(usage) beyond the random-number budget.
void sample_ancestral(Hee const&, random::Key, Tiling const&, TileRange mine, std::vector<TileStorage> const& x, Index step);

// Q_l^-1 and log det Q_l of every layer with lateral connections; empty without. (n_l)^3 operations on the host.
struct InverseCoupling {
  Vector matrix;
  double log_determinant;
};
std::vector<InverseCoupling> inverse_couplings(Hee const&);
// Lists them, and what finds the widest in double.
void list_inverse_couplings(Arrays, Hee const&);

// A'(eta_l) = E[phi(x_l) | x_l+1] of every lane, (tile, n_l, pitch) as x; `inverse` as inverse_couplings gives it.
TileStorage mean_statistic(Hee const&, Index l, std::vector<InverseCoupling> const& inverse, std::vector<TileStorage> const& x);

// log p(x_0:L) of this rank's chains, in their order. eta is computed in Real, the rest in double (with lateral connections in Real
// too).
std::vector<double> log_joint(Hee const&, Tiling const&, TileRange mine, std::vector<TileStorage> const& x);
// Lists what it holds meanwhile.
void list_log_joint(Arrays, Hee const&, Share const&);

}  // namespace partita
