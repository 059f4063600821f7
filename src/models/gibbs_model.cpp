#include "models/gibbs_model.hpp"

#include <algorithm>
#include <cmath>

#include "core/require.hpp"

namespace partita {

std::vector<double> log_odds(UnitMoments const& m) {
  double const least = 1 / static_cast<double>(std::max<Index>(m.items, 2));
  std::vector<double> out;
  for (double p : m.mean) {
    double const clipped = std::clamp(p, least, 1 - least);
    out.push_back(std::log(clipped / (1 - clipped)));
  }
  return out;
}

std::unique_ptr<GibbsModel> GibbsModel::copy() const {
  fail(ExitCode::usage,
       "tempering along a trajectory keeps copies of the model, and this kind cannot be copied; use sampler.type = \"replica_exchange\"",
       FailedOn::all_ranks);
}

void GibbsModel::anneal(Tiles x, double beta_before, Sweep const& to, LogWeights log_weight) const {
  auto const tiles = x.extent(0), lanes = x.extent(2);
  if (before_.extent(0) < tiles || before_.extent(1) < lanes)
    before_ = TileScalarStorage("energies before", tiles, lanes), after_ = TileScalarStorage("energies after", tiles, lanes);
  auto const shape = [&](TileScalarStorage const& s) {
    return TileScalars(Kokkos::subview(s, std::pair(std::size_t{0}, tiles), std::pair(std::size_t{0}, lanes)));
  };
  TileScalars const before = shape(before_), after = shape(after_);
  path_energy(x, beta_before, before);
  path_energy(x, to.beta, after);
  Index const width = static_cast<Index>(lanes);
  Kokkos::parallel_for(
      "partita::anneal_weights", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, static_cast<Index>(tiles) * width),
      KOKKOS_LAMBDA(Index n) {
        Index const t = n / width, l = n % width;
        log_weight(t, l) += static_cast<double>(before(t, l)) - static_cast<double>(after(t, l));
      });
  sweep(x, to);
}

}  // namespace partita
