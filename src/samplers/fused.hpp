// Models that make the steps of a scheme themselves, in one kernel with their energy.
#pragma once
#include "samplers/chains.hpp"
#include "samplers/scheme.hpp"
#include "samplers/work.hpp"

namespace partita {

// Steps first_step, first_step + 1, ... of the local tiles.
struct FusedCall {
  Chains const& chains;
  SamplerWork& work;
  Moving moving;
  random::Key key;
  TileRange local;
  Index first_step, steps;
};
// A model that makes the steps of this scheme in one kernel with its energy.
template <class Scheme>
class Fused {
 public:
  virtual void advance_fused(Scheme const&, FusedCall const&) const = 0;

 protected:
  ~Fused() = default;
};

}  // namespace partita
