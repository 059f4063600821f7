#include "generators/entry.hpp"

#include "samplers/chain_options.hpp"

namespace partita {

std::vector<deck::Key> generator_keys() {
  using O = GeneratorOptions;
  return {deck::key("samples", &O::samples, "number of samples").at_least(1).at_most(most_chains),
          deck::key("tile_width", &O::tile_width, "samples that are computed together, a tile; 0: by their number and the dimension")
              .at_least(0)
              .multiple_of(lane_quantum)};
}

}  // namespace partita
