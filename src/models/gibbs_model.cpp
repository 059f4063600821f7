#include "models/gibbs_model.hpp"

#include <algorithm>
#include <cmath>

#include "core/require.hpp"

namespace partita {

std::vector<double> log_odds(UnitMoments const& m) {
  double const least = 1 / double(std::max<Index>(m.items, 2));
  std::vector<double> out;
  for (double p : m.mean) {
    double const clipped = std::clamp(p, least, 1 - least);
    out.push_back(std::log(clipped / (1 - clipped)));
  }
  return out;
}

std::unique_ptr<GibbsModel> GibbsModel::copy(Arrays) const {
  fail(ExitCode::usage,
       "tempering along a trajectory keeps copies of the model, and this kind cannot be copied; use sampler.type = \"replica_exchange\"",
       FailedOn::all_ranks);
}

void GibbsModel::anneal(Tiles x, double beta_before, Sweep const& to, LogWeights log_weight) const {
  Index const tiles = extent(x, 0), lanes = extent(x, 2);
  for (TileScalarStorage* energies : {&before_, &after_}) Arrays().grow(*energies, "energies of a move", tiles, lanes);
  TileScalars const before = leading(before_, tiles, lanes), after = leading(after_, tiles, lanes);
  path_energy(x, beta_before, before);
  path_energy(x, to.beta, after);
  Kokkos::parallel_for(
      "partita::anneal_weights", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles * lanes), KOKKOS_LAMBDA(Index n) {
        Index const t = n / lanes, l = n % lanes;
        log_weight(t, l) += double(before(t, l)) - double(after(t, l));
      });
  sweep(x, to);
}

}  // namespace partita
