// Whether this version of Partita can continue a run that another version began.
#pragma once
#include "core/types.hpp"

namespace partita {

// Raise it with every change after which the same deck, seed and machine give other bits than before (another use of the random streams,
// another order of sums, another adaptation), or after which a checkpoint's fields mean something else. A checkpoint with another number is
// refused on restart: a run is computed by one rule from its beginning to its end. Parameters can still be read from it (model.from).
constexpr Index sampling_version = 3;

}  // namespace partita
