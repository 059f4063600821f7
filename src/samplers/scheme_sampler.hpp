// A sampler whose chains move by the steps of one scheme.
#pragma once
#include "samplers/fused.hpp"
#include "samplers/sampler.hpp"

namespace partita {

// Base: Sampler or AdjustedSampler.
template <class OfScheme, class Base>
class SchemeSampler : public Base {
 public:
  using Scheme = OfScheme;
  Index work_rows(Index dimension) const override { return partita::work_rows<Scheme>(dimension); }
  bool keeps_velocity() const override { return Scheme::keeps_velocity; }
  void list(Arrays arrays, Model const& model, Share const& share) const override {
    Index const d = model.dimension(), tiles = share.mine().count, pitch = share.tiling.pitch();
    bool const fused = dynamic_cast<Fused<Scheme> const*>(&model) != nullptr;
    SamplerWork work;
    if (fused) work.fit(arrays, runs_on_host ? 1 : tiles * pitch / strip_lanes, work_rows(d), Scheme::energies, strip_lanes);
    else work.fit(arrays, tiles_in_flight(tiles), work_rows(d), Scheme::energies, pitch);
    if (Scheme::keeps_velocity) make_velocities(arrays, share.tiling, share.mine(), d);
  }

 protected:
  using Base::Base;
  SamplerWork work_;
};

}  // namespace partita
