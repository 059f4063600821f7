// A generator: independent samples of a model, drawn in the model's own way rather than taken along chains.
#pragma once
#include <string>
#include <vector>

#include "core/metric.hpp"
#include "core/state.hpp"
#include "core/tiling.hpp"

namespace partita {

class Generator {
 public:
  virtual ~Generator() = default;
  virtual Index steps() const { return 0; }  // until the samples are ready; 0: they are drawn all at once
  // The next step after this one at which a block of steps must end, for example to add to an average.
  virtual Index next_boundary(Index /*step*/) const { return steps(); }
  virtual void advance(Index /*step*/, Index /*steps*/) {}
  // Failure(numerical) for the first chain that is not finite. Collective.
  virtual void require_finite(Index /*step*/) const {}
  virtual double chain_steps_per_step() const { return 0; }
  virtual void describe_state(State&) {}

  virtual Tiling const& tiling() const = 0;
  virtual TileRange mine() const = 0;
  // The variables of a sample: "x", then latent layers by name.
  struct Variable {
    std::string name;
    Index size;
  };
  virtual std::vector<Variable> variables() const = 0;
  // After all steps: the values of each variable, (tile, size, pitch).
  virtual std::vector<TileStorage> samples() = 0;
  // Further numbers of each sample, and, after samples(), their values: (tile, pitch) each.
  struct Statistic {
    std::string name, definition;
  };
  virtual std::vector<Statistic> statistics() const { return {}; }
  virtual std::vector<TileScalarStorage> statistic_values() const { return {}; }
  // Numbers about all samples together, after samples(). Collective.
  virtual std::vector<Metric> results() const { return {}; }
};

}  // namespace partita
