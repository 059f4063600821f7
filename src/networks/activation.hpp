// The functions between a network's layers.
#pragma once
#include <string>

namespace partita {

enum class Activation { silu, softplus, tanh, gelu };  // formulas and accuracy: core/math.hpp

// Failure(usage) on all ranks for a name that is none of the above.
Activation activation_named(std::string const& name);

}  // namespace partita
