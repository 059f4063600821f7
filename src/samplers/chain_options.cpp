#include "samplers/chain_options.hpp"

#include <limits>

namespace partita {

Index product_or_most(Index a, Index b) {
  Index product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<Index>::max() : product;
}

InitialDistribution ChainOptions::distribution() const {
  InitialState const kind = initial == "uniform" ? InitialState::uniform : initial == "zero" ? InitialState::zero : InitialState::normal;
  return {kind, initial_scale, initial_centre};
}

Index ChainOptions::width(Index of_chains, Index dimension, Index rows_per_dimension) const {
  return tile_width > 0 ? tile_width : default_tile_width(of_chains, dimension, rows_per_dimension);
}

std::vector<deck::Key> chain_keys() {
  using O = ChainOptions;
  return {
      deck::key("chains", &O::chains, "number of parallel chains").at_least(1).at_most(most_chains).for_tasks({"sample"}),
      deck::key("steps", &O::steps, "steps of each chain, warm-up included")
          .at_least(0)
          .at_most(most_steps)
          .for_tasks({"sample"})
          .free_on_restart(),
      deck::key("warmup", &O::warmup,
                "first steps of each chain, from which nothing is kept; samplers tune their step size, masses and ladder in them")
          .at_least(0)
          .at_most(most_steps)
          .for_tasks({"sample"}),
      deck::key("thin", &O::thin, "steps between two kept draws; draws = (steps - warmup) / thin")
          .at_least(1)
          .at_most(most_steps)
          .for_tasks({"sample"}),
      deck::key("tile_width", &O::tile_width,
                "chains that are computed together, a tile; MPI ranks share the tiles; 0: by their number and the dimension, so that a "
                "tile fits in cache")
          .at_least(0)
          .multiple_of(lane_quantum),
      deck::key("initial", &O::initial,
                "how each coordinate of a chain starts: normal, initial_centre + initial_scale N(0,1); uniform, initial_centre + "
                "initial_scale U(-1,1); zero, initial_centre; models with binary or categorical units start from independent units instead")
          .one_of({"normal", "uniform", "zero"}),
      deck::key("initial_scale", &O::initial_scale, "scale of the initial distribution")
          .at_least(0)
          .only_with("initial", {"normal", "uniform"}),
      deck::key("initial_centre", &O::initial_centre, "centre of the initial distribution"),
      deck::key("on_nonfinite", &O::on_nonfinite,
                "what happens when a chain is no longer finite: stop ends the run with exit code 5, reinitialize starts that chain "
                "anew and counts it among the warnings")
          .one_of({"stop", "reinitialize"})
          .for_tasks({"sample"})};
}

}  // namespace partita
