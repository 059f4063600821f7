// Estimators of samples of lattice machines.
#include <fmt/format.h>

#include <cmath>

#include "driver/estimator.hpp"
#include "driver/warm_start.hpp"
#include "estimators/ising.hpp"

namespace partita {
namespace {

using Metrics = std::vector<Metric>;

void has_its_own_coupling(Fit const& fit) {
  if (!fit.deck.at("model").as<WarmStart>().from.empty())
    fit.refuse(
        "",
        "estimator.type = \"magnetisation\" assumes the deck's coupling and field, but model.from has other parameters; use the estimator "
        "\"moments\"");
}

Metrics magnetisation(Subject const& s, deck::Block const&) {
  deck::Block const& model = s.evaluation.context.deck.at("model");
  auto const o = model.as<IsingLatticeOptions>();
  auto const bonds = lattice_edges(o.rows, o.columns, o.periodic);
  Index const sites = o.rows * o.columns;
  double const n = static_cast<double>(sites);
  auto const found = expectations(s.samples, 3, [&](float const* x, double, double* out) {
    double aligned = 0, spins = 0;
    for (Edge const& b : bonds) aligned += x[b.first] == x[b.second] ? 1 : -1;
    for (Index i = 0; i < sites; i++) spins += x[i] > 0 ? 1 : -1;
    out[0] = -(o.coupling * aligned + o.field * spins) / n;
    out[1] = std::abs(spins) / n;
    out[2] = spins / n;
  });
  Metrics out{metric("energy_per_spin", found[0], "<-J sum s_i s_j - theta sum s_i> / n, in units of kT"),
              metric("magnetisation_abs", found[1], "<|sum s_i|> / n"), metric("magnetisation", found[2], "<sum s_i> / n")};
  auto const compare = [](Metric& m, double exact) {
    constexpr double too_many = 5;  // standard errors
    if (m.error && std::abs(m.value - exact) > too_many * *m.error)
      m.warning = fmt::format(
          "it is {:.3g} standard errors from the exact {:.7g}: the chains miss part of the states, or still depend on their start; "
          "use "
          "replica_exchange, or more sampler.warmup",
          std::abs(m.value - exact) / *m.error, exact);
  };
  if (auto const exact = exact_ising(o)) {
    compare(out[0], exact->energy);
    if (exact->magnetisation_abs) compare(out[1], *exact->magnetisation_abs);
    out.push_back({"energy_per_spin_exact", exact->energy, {}, "exact energy_per_spin, by transfer matrix"});
    if (exact->magnetisation_abs)
      out.push_back({"magnetisation_abs_exact", *exact->magnetisation_abs, {}, "exact magnetisation_abs, by transfer matrix"});
  }
  return out;
}

}  // namespace

std::vector<EstimatorEntry> machine_estimators() {
  return {{{"magnetisation", "energy and magnetisation for each spin of an ising_lattice, beside their exact values on small lattices", {}},
           magnetisation,
           LooksAt::samples,
           {{}, {}, {"ising_lattice"}},
           false,
           has_its_own_coupling}};
}

}  // namespace partita
