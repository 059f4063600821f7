#include "estimators/ising.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "estimators/entry.hpp"
#include "models/warm_start.hpp"

namespace partita {
namespace {

constexpr double most_operations = 1e9;

// Sums over all spins of the sites so far, for each state of the latest spin of each column (bit c: up) and, if `counts`, for each number
// of spins up. Weights are scaled to at most one.
class TransferMatrix {
 public:
  TransferMatrix(IsingLatticeOptions const& lattice, bool counts)
      : o_(lattice), counts_(counts ? lattice.rows * lattice.columns + 1 : 1), z_(size()), energy_(size()) {}

  // Adds the whole lattice; `first_row` gives the spins of the first row if bonds lead to it from the last row.
  void add_lattice(std::size_t first_row) {
    std::fill(z_.begin(), z_.end(), 0.);
    std::fill(energy_.begin(), energy_.end(), 0.);
    z_[0] = 1;
    for (Index site = 0; site < o_.rows * o_.columns; site++) add_site(site / o_.columns, site % o_.columns, first_row);
    Index const n = o_.rows * o_.columns;
    for (std::size_t k = 0; k < size(); k++) {
      total_z_ += z_[k], total_energy_ += energy_[k];
      total_magnetisation_ += z_[k] * double(std::abs(2 * Index(k % std::size_t(counts_)) - n));
    }
  }
  IsingAverages averages() const {
    double const n = double(o_.rows * o_.columns);
    IsingAverages a{std::log(total_z_) + scale_, total_energy_ / total_z_ / n, {}};
    if (counts_ > 1) a.magnetisation_abs = total_magnetisation_ / total_z_ / n;
    return a;
  }

 private:
  std::size_t size() const { return (std::size_t{1} << o_.columns) * std::size_t(counts_); }

  // Energies of a site's bonds and field for each value of its spin [now] and of the spin above it [old], and their weights.
  struct Site {
    double energy[2][2], weight[2][2];
  };
  // `neighbours`: the sum of its other neighbours' spins, of `bonds` bonds in all.
  Site site(bool has_above, double neighbours, double bonds) const {
    Site s;
    for (int now : {0, 1})
      for (int old : {0, 1}) {
        double const above = has_above ? 2 * old - 1 : 0;
        s.energy[now][old] = -(2 * now - 1) * (o_.coupling * (neighbours + above) + o_.field);
        s.weight[now][old] = std::exp(-std::abs(o_.coupling) * bonds - std::abs(o_.field) - s.energy[now][old]);
      }
    return s;
  }

  // In place, in descending order of the count: what is read at `count` is written there and at count + 1.
  void add_site(Index r, Index c, std::size_t first_row) {
    auto const stride = std::size_t(counts_), bit = std::size_t{1} << c;
    Index const above = counts_ > 1 ? 1 : 0, most = counts_ > 1 ? r * o_.columns + c : 0;
    bool const to_left = c > 0, to_right = o_.periodic && c == o_.columns - 1, to_below = o_.periodic && r == o_.rows - 1;
    std::array<Site, 7> sites;  // indexed by the sum of up to three neighbouring spins
    for (int sum = -3; sum <= 3; sum++) sites[sum + 3] = site(r > 0, sum, (r > 0) + to_left + to_right + to_below);
    if (o_.periodic && r == 0)  // the first row is given
      for (Site& s : sites) s.weight[first_row & bit ? 0 : 1][0] = 0;
    for (std::size_t spins = 0; spins < std::size_t{1} << o_.columns; spins++) {
      if (spins & bit) continue;
      auto const spin = [](std::size_t of) { return of != 0 ? 1 : -1; };
      int const sum = (to_left ? spin(spins & bit >> 1) : 0) + (to_right ? spin(spins & 1) : 0) + (to_below ? spin(first_row & bit) : 0);
      Site const& s = sites[sum + 3];
      double *z[2] = {&z_[spins * stride], &z_[(spins | bit) * stride]},
             *e[2] = {&energy_[spins * stride], &energy_[(spins | bit) * stride]};
      for (Index count = most; count >= 0; count--) {
        double const old_z[2] = {z[0][count], z[1][count]}, old_e[2] = {e[0][count], e[1][count]};
        for (int now : {0, 1}) {
          Index const at = count + now * above;
          z[now][at] = e[now][at] = 0;
          for (int old : {0, 1}) {
            z[now][at] += s.weight[now][old] * old_z[old];
            e[now][at] += s.weight[now][old] * (old_e[old] + s.energy[now][old] * old_z[old]);
          }
        }
      }
      if (above > 0) z[1][0] = e[1][0] = 0;
    }
  }

  IsingLatticeOptions o_;
  Index counts_;
  std::vector<double> z_, energy_;  // (spins, count)
  double total_z_ = 0, total_energy_ = 0, total_magnetisation_ = 0;
  double scale_ = [this] {
    double const bonds = double(lattice_edges(o_.rows, o_.columns, o_.periodic).size());
    return std::abs(o_.coupling) * bonds + std::abs(o_.field) * double(o_.rows * o_.columns);
  }();
};

}  // namespace

std::optional<IsingAverages> exact_ising(IsingLatticeOptions const& lattice) {
  IsingLatticeOptions o = lattice;
  if (o.columns > o.rows) std::swap(o.rows, o.columns);
  if (o.columns > 16) return {};
  double const sites = double(o.rows * o.columns), states = std::ldexp(1., int(o.columns));
  bool const mirrored = o.periodic && o.field == 0;  // first rows come in pairs, all spins flipped
  double const starts = o.periodic ? (mirrored ? states / 2 : states) : 1;
  double const operations = starts * sites * states / 2;
  if (operations > most_operations) return {};
  TransferMatrix transfer(o, operations * sites / 2 <= most_operations);
  for (std::size_t first_row = 0; first_row < std::size_t(starts); first_row++) transfer.add_lattice(first_row);
  IsingAverages averages = transfer.averages();
  if (mirrored) averages.log_z += std::log(2.);
  return averages;
}

namespace {

void has_its_own_coupling(Fit const& fit) {
  if (!fit.deck.at("model").as<WarmStart>().from.empty())
    fit.refuse(
        "",
        "estimator.type = \"magnetisation\" assumes the deck's coupling and field, but model.from has other parameters; use the estimator "
        "\"moments\"");
}

Metrics magnetisation(Subject const& s, deck::Block const&) {
  deck::Block const& model = s.deck.at("model");
  auto const o = model.as<IsingLatticeOptions>();
  auto const bonds = lattice_edges(o.rows, o.columns, o.periodic);
  Index const sites = o.rows * o.columns;
  double const n = double(sites);
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
          "it is {:.3g} standard errors from the exact {:.7g}: the chains miss part of the states, or still depend on their start; use "
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

EstimatorEntry magnetisation_estimator() {
  return {{"magnetisation", "energy and magnetisation for each spin of an ising_lattice, beside their exact values on small lattices", {}},
          magnetisation,
          LooksAt::samples,
          {{}, {}, {"ising_lattice"}},
          false,
          has_its_own_coupling};
}

}  // namespace partita
