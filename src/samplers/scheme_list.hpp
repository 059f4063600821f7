// The schemes of all gradient-based samplers. Analytic energies are compiled with all of them. A scheme that is missing here also works,
// but not fused with the energy in one kernel.
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
