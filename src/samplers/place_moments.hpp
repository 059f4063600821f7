// What a sampler learns during the warm-up of the scales of its target, from where its chains are.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/state.hpp"
#include "samplers/chains.hpp"

namespace partita {

class Communicator;

// What so many places say: variances of the coordinates, and which of these are held.
struct Places {
  Index count;
  std::vector<double> variances;
  std::vector<bool> held;
};

// Sums over the places of chains, gathered over calls.
class PlaceMoments {
 public:
  explicit PlaceMoments(Index dimension = 0, Arrays = {});
  // Adds the places of all chains of all ranks; calls number 1, 2, 4, 8, ... return what those since forget() say. Collective.
  std::optional<Places> gather(Chains const&, Communicator const&);
  void forget() { gathered_ = 0; }
  void describe_state(State&, std::string const& group);

 private:
  void add(Chains const&, Communicator const&);

  // (dimension): of the places gathered, a mean of the first ones, and the sums of x - centre and its square.
  Vector centre_, sums_, squares_;
  Index gathered_ = 0, calls_ = 0;  // places; calls of gather()
};

// Scales (dimension) of 1.
Vector equal_scales(Index dimension, Arrays = {});
// Scales, see scales_of(); false where nothing is known yet, and they stay as they are.
bool set_scales(Places const&, Vector scales);

// Scales from variances of `count` places: standard deviations over the least of them, so that a step size keeps its meaning for the
// narrowest coordinate. Their logarithms are drawn to their mean as if by `more` more places, for few places know a variance badly. Entries
// that are `left_out` are 1; empty where a variance is not a positive number, so that nothing is known yet.
std::vector<Real> scales_of(std::vector<double> const& variances, std::vector<bool> const& left_out, Index count, double more = 5);

}  // namespace partita
