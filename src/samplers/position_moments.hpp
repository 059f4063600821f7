// Estimates of the scales of a target from the positions of the chains, for the warm-up of a sampler.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/state.hpp"
#include "samplers/chains.hpp"

namespace partita {

class Communicator;

// Variances of the coordinates over `count` positions, and which coordinates are held.
struct PositionSums {
  Index count;
  std::vector<double> variances;
  std::vector<bool> held;
};

// Sums over the positions of chains, accumulated over calls.
class PositionMoments {
 public:
  explicit PositionMoments(Index dimension = 0, Arrays = {});
  // Adds the positions of all chains of all ranks; calls number 1, 2, 4, 8, ... return the moments since forget(). Collective.
  std::optional<PositionSums> gather(Chains const&, Communicator const&);
  void forget() { gathered_ = 0; }
  void describe_state(State&, std::string const& group);

 public:  // what holds kernels: nvcc refuses it otherwise
  void add(Chains const&, Communicator const&);

 private:
  // (dimension): the mean of the first positions, and over all of them the sums of x - centre and of its square.
  Vector centre_, sums_, squares_;
  Index gathered_ = 0, calls_ = 0;  // positions; calls of gather()
};

// Scales (dimension) of 1.
Vector equal_scales(Index dimension, Arrays = {});
// Sets the scales to scales_of(); returns false and leaves them unchanged where they are not known yet.
bool set_scales(PositionSums const&, Vector scales);

// Scales from variances of `count` positions: standard deviations relative to the smallest, so that the step size remains that of the
// narrowest coordinate. Their logarithms are shrunk towards their mean as if by `more` further positions, since few positions estimate a
// variance badly. Entries that are `left_out` are 1. Empty where a variance is not a positive number: the scales are not known yet.
std::vector<Real> scales_of(std::vector<double> const& variances, std::vector<bool> const& left_out, Index count, double more = 5);

}  // namespace partita
