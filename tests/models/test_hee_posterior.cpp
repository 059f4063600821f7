// The energy of the latent layers given data, against the joint density, and its gradient against central differences.
#include <gtest/gtest.h>

#include <cmath>

#include "core/copy.hpp"
#include "models/hee_posterior.hpp"

namespace {

using namespace partita;

constexpr bool in_double = sizeof(Real) == 8;
auto const key = random::make_key(21);
Tiling const tiling{20, 32};  // one tile, some of whose lanes are no chains

// Every parameter away from its start.
void perturb(Hee& model) {
  auto const host = values_on_host(model.parameters());
  for (std::size_t i = 0; i < host.extent(0); i++) {
    auto const w = random::words(key, i, random::Stream::test, 0, 0);
    host(i) += Real(0.3) * random::normal_pair(w.w[0], w.w[1], Real()).a;
  }
  copy_array(model.parameters(), host);
  model.parameters_changed();
}

// A member, a state of all its layers from the ancestors, and the posterior about its x_0.
struct Case {
  Hee model;
  HeePosterior posterior;
  TileStorage x0, z, gradient;
  TileScalarStorage energy;

  explicit Case(HeeOptions const& o) : model((Hee(o, key))), posterior(prepared(model)) {
    auto const pitch = std::size_t(tiling.pitch());
    x0 = TileStorage("x0", 1, model.dimension(), pitch);
    z = TileStorage("z", 1, model.units(), pitch);
    gradient = TileStorage("gradient", 1, model.units(), pitch);
    energy = TileScalarStorage("energy", 1, pitch);
    posterior.show(x0);
    posterior.reserve(1, tiling.width);
    sample_ancestral(model, key, tiling, {0, 1}, posterior.layers(z), 0);
  }
  static Hee const& prepared(Hee& m) {
    perturb(m);
    return m;
  }
  static auto lanes() { return std::pair(Index{0}, tiling.lanes(0)); }
  Tiles view(TileStorage const& s) const { return Kokkos::subview(s, Kokkos::ALL, Kokkos::ALL, lanes()); }
  std::vector<double> energies() {
    posterior.energy_and_gradient(view(z), Kokkos::subview(energy, Kokkos::ALL, lanes()), view(gradient));
    auto const host = values_on_host(energy);
    std::vector<double> out;
    for (Index l = 0; l < tiling.chains; l++) out.push_back(host(0, l));
    return out;
  }
};

std::vector<HeeOptions> members() {
  return {{.widths = {5, 4, 3}},
          {.widths = {5, 4, 3}, .g = "lateral", .lateral_density = 1},
          {.widths = {5, 4, 3}, .f = "tanh", .g = "lateral", .lateral_density = 1},
          {.widths = {5, 4, 3}, .f = "softplus"},
          {.widths = {5, 4, 3}, .f = "tanh", .g = "quartic"},
          {.widths = {5, 4, 3}, .f = "tanh", .phi = "tanh"}};
}

TEST(HeePosterior, EnergyIsMinusTheLogJoint) {
  for (auto const& o : members()) {
    Case c(o);
    auto const energies = c.energies();
    auto const expected = log_joint(c.model, tiling, {0, 1}, c.posterior.layers(c.z));
    for (std::size_t l = 0; l < expected.size(); l++)
      EXPECT_NEAR(energies[l], -expected[l], in_double ? 1e-10 : 2e-5) << o.f << o.phi << o.g;
  }
}

TEST(HeePosterior, BetaWeighsTheConditionalOfTheData) {
  for (auto const& o : members()) {
    Case c(o);
    auto const posterior = c.energies();
    auto const conditional = c.posterior.log_conditional(c.view(c.z));
    c.posterior.set_beta(0.3);
    auto const between = c.energies();
    for (std::size_t l = 0; l < between.size(); l++) EXPECT_NEAR(between[l], posterior[l] + 0.7 * conditional[l], in_double ? 1e-12 : 1e-5);
  }
}

// Five points: the error is h^4 / 30 times a fifth derivative, and rounding over h.
TEST(HeePosterior, GradientIsTheDerivative) {
  double const h = in_double ? 2e-3 : 0.05, tolerance = in_double ? 1e-7 : 3e-3;
  for (auto const& o : members()) {
    Case c(o);
    c.posterior.set_beta(0.6);
    c.energies();
    auto const gradient = Kokkos::create_mirror(c.gradient);
    copy_array(gradient, c.gradient);
    for (Index i = 0; i < c.model.units(); i++) {
      auto const moved = [&](double by) {
        auto const row = Kokkos::subview(c.z, 0, i, Kokkos::ALL);
        auto const host = Kokkos::create_mirror(row), before = Kokkos::create_mirror(row);
        copy_array(before, row);
        for (std::size_t l = 0; l < host.extent(0); l++) host(l) = before(l) + Real(by);
        copy_array(row, host);
        auto const e = c.energies();
        copy_array(row, before);
        return e;
      };
      auto const a = moved(-2 * h), b = moved(-h), d = moved(h), e = moved(2 * h);
      for (std::size_t l = 0; l < a.size(); l++) {
        double const difference = (8 * (d[l] - b[l]) - (e[l] - a[l])) / (12 * h), found = gradient(0, i, l);
        EXPECT_NEAR(found, difference, tolerance * std::max(1., std::abs(found))) << o.f << o.phi << o.g << " unit " << i << " lane " << l;
      }
    }
  }
}

}  // namespace
