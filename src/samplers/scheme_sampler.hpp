// A sampler whose chains move by the steps of one scheme.
#pragma once
#include "samplers/sampler.hpp"
#include "samplers/scheme.hpp"
#include "samplers/work.hpp"

namespace partita {

// Base: Sampler or AdjustedSampler.
template <class OfScheme, class Base>
class SchemeSampler : public Base {
 public:
  using Scheme = OfScheme;
  Index work_rows(Index dimension) const override { return partita::work_rows<Scheme>(dimension); }
  bool keeps_velocity() const override { return Scheme::keeps_velocity; }

 protected:
  using Base::Base;
  SamplerWork work_;
};

}  // namespace partita
