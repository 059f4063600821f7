// The life of a run: directory and lock, the loop over blocks of steps, checkpoints, and its end.
#pragma once
#include "driver/commands.hpp"

namespace partita {

int run(Arguments const&, Communicator const&);

}  // namespace partita
