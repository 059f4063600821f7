// Every scheme of a sampler that follows gradients. Analytic energies are compiled with all of them; models advance by a scheme that is not
// here, too, but their energy is no part of its kernel.
#pragma once
#include "samplers/barker.hpp"
#include "samplers/hamiltonian.hpp"
#include "samplers/leimkuhler_matthews.hpp"
#include "samplers/mclmc.hpp"
#include "samplers/ula.hpp"
#include "samplers/underdamped.hpp"

namespace partita {

template <class... Schemes>
struct SchemeList {};

using AllSchemes = SchemeList<UlaScheme,                               //
                              LeimkuhlerMatthewsScheme,                //
                              BaoabScheme,                             //
                              HamiltonianScheme<EqualLengths>,         //
                              HamiltonianScheme<LengthsByCoordinate>,  //
                              BarkerScheme,                            //
                              MicrocanonicalScheme<false>,             //
                              MicrocanonicalScheme<true>>;

}  // namespace partita
