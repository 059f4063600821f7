// The Ising model on small square lattices, exactly: the transfer matrix applied site by site (Binder, Physica 62, 508, 1972), with
// energies and numbers of spins up carried along.
#pragma once
#include <optional>

#include "models/boltzmann_machine.hpp"

namespace partita {

struct IsingAverages {
  double log_z;                             // sum over spins of exp(-E(s))
  double energy;                            // <E> per spin
  std::optional<double> magnetisation_abs;  // <|sum s|> per spin; none where it would take too long
};

// None where it would take more than some seconds: for more than 16 columns of a square lattice without periodic bonds, or more than 12
// with them (11 in a field); magnetisation_abs is none beyond 15 and 9 columns.
std::optional<IsingAverages> exact_ising(IsingLatticeOptions const&);

}  // namespace partita
