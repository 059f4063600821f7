// The Ising model on small square lattices, exactly: the transfer matrix applied site by site (Binder, Physica 62, 508, 1972), with
// energies and numbers of spins up carried along.
#pragma once
#include <optional>

#include "models/boltzmann_machine.hpp"

namespace partita {

struct IsingAverages {
  double log_z;                             // sum over spins of exp(-E(s))
  double energy;                            // <E> a spin
  std::optional<double> magnetisation_abs;  // <|sum s|> a spin; none where it would take too long
};

// None where it would take more than some seconds: beyond 16 columns of a square lattice without bonds across its edges, 12 of one with
// them, or 11 in a field; |m| beyond 15 and 9.
std::optional<IsingAverages> exact_ising(IsingLatticeOptions const&);

}  // namespace partita
