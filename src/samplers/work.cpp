#include "samplers/work.hpp"

#include <vector>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "samplers/chains.hpp"

namespace partita {

void SamplerWork::fit(Arrays arrays, Index slots, Index row_count, Index energy_rows, Index lanes) {
  arrays.fit(rows, "work rows of a step", slots, row_count, lanes);
  arrays.fit(energies, "energies of a step", slots, energy_rows, lanes);
}

Moving SamplerWork::moving_coordinates(Chains const& chains) {
  auto const flags = extent(chains.held, 0);
  if (flags == 0) return {chains.dimension, nullptr};
  require(flags == chains.dimension, ExitCode::internal, "there are {} flags of held coordinates, but chains have {} coordinates", flags,
          chains.dimension);
  auto const held = values_on_host(chains.held);
  std::vector<Index> list;
  for (Index i = 0; i < flags; i++)
    if (!held(i)) list.push_back(i);
  moving = DeviceVector<Index>("moving coordinates", list.size());
  copy_array(moving, list);
  return {std::ssize(list), moving.data()};
}

}  // namespace partita
