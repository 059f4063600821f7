// The life of a run: directory and lock, restart, the loop over blocks of steps, checkpoints, the summary.
#pragma once
#include "driver/commands.hpp"

namespace partita {

int run(Arguments const&, Communicator const&);

}  // namespace partita
