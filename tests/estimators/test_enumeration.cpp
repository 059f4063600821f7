// log Z and draws by enumeration against brute force over visible and hidden units, and against quadrature.
#include <gtest/gtest.h>

#include <numbers>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "estimators/enumeration.hpp"
#include "models/gaussian_rbm.hpp"
#include "small_machines.hpp"

namespace partita {
namespace {

Communicator ranks() { return Communicator::world(); }

TEST(Enumeration, EitherLayerOfAnRbm) {
  for (auto const& [visible, hidden] : {std::pair<Index, Index>{7, 3}, {3, 7}, {5, 5}, {1, 1}}) {
    Rbm model = small::rbm(visible, hidden, 1.5);
    EXPECT_NEAR(Enumeration(model, ranks()).log_z(), small::log_z(model), small::rounding) << visible << " x " << hidden;
  }
}

// 64 tiles of states: more than ranks, and an energy scale that overflows exp.
TEST(Enumeration, ManyTiles) {
  Rbm model = small::rbm(20, 14, 4);
  double const log_z = Enumeration(model, ranks()).log_z();
  // The other way round: the machine with its layers exchanged has the same Z.
  Rbm exchanged({.visible = 14, .hidden = 20});
  auto const w = to_host(model.weight());
  std::vector<double> transposed;
  for (std::size_t j = 0; j < 14; j++)
    for (std::size_t i = 0; i < 20; i++) transposed.push_back(w[i * 14 + j]);
  assign(exchanged.weight(), transposed);
  assign(exchanged.visible_bias(), to_host(model.hidden_bias()));
  assign(exchanged.hidden_bias(), to_host(model.visible_bias()));
  EXPECT_GT(log_z, 100);
  EXPECT_NEAR(Enumeration(exchanged, ranks()).log_z() / log_z, 1, 1e-6);
  for (double other : ranks().all_gather(std::vector<double>{log_z})) EXPECT_EQ(other, log_z);
}

TEST(Enumeration, GeneralMachine) {
  for (auto const& [visible, hidden] : {std::pair<Index, Index>{6, 0}, {4, 5}}) {
    BoltzmannMachine model = small::machine(visible, hidden, 1);
    EXPECT_NEAR(Enumeration(model, ranks()).log_z(), small::log_z(model), small::rounding);
  }
}

// Real visible units: over the hidden ones, whatever their number; against the trapezoidal rule, which is exact for smooth integrands on
// the whole line.
TEST(Enumeration, GaussianVisibleUnits) {
  for (char const* parametrisation : {"A", "B"}) {
    GaussianRbm model(
        {.visible = 1, .hidden = 3, .visible_units = "gaussian", .parametrisation = parametrisation, .standard_deviation = 0.7});
    small::randomise(model, 0.6);
    Index const n = 4096;
    TileStorage const x("points", 1, 1, n);
    TileScalarStorage const energy("energies", 1, n);
    auto const host = Kokkos::create_mirror_view(x);
    double const spacing = 40. / double(n);
    for (Index i = 0; i < n; i++) host(0, 0, i) = Real(-20 + spacing * double(i));
    copy_array(x, host);
    model.reserve(1, n);
    model.path_energy(x, 1, energy);
    auto const e = values_on_host(energy);
    double z = 0;
    for (Index i = 0; i < n; i++) z += spacing * std::exp(-double(e(0, i)));
    EXPECT_NEAR(Enumeration(model, ranks()).log_z(), std::log(z), small::rounding) << parametrisation;
  }
}

TEST(Enumeration, Limits) {
  EXPECT_TRUE(Enumeration::possible(small::rbm(100, 25, 1)));
  EXPECT_TRUE(Enumeration::possible(small::rbm(25, 100, 1)));
  EXPECT_FALSE(Enumeration::possible(small::rbm(26, 26, 1)));
  EXPECT_FALSE(Enumeration::possible(GaussianRbm({.visible = 4, .hidden = 26, .visible_units = "gaussian"})));
  Rbm large = small::rbm(26, 26, 1);
  EXPECT_THROW(Enumeration(large, ranks()), Failure);
}

// Counts of 2048 independent draws are binomial: within 5 standard deviations and one draw, for every state of the visible units.
template <class M>
void expect_exact_draws(M model) {
  Tiling const tiling{2048, 256};
  Chains const chains("draws", tiling, share_of_tiles(tiling.tiles(), ranks().rank(), ranks().ranks()), model.dimension());
  Enumeration(model, ranks()).draw(chains, small::key);
  auto const x = values_on_host(chains.x);
  auto weights = small::visible_weights(model);
  std::vector<double> counts(weights.size());
  for (Index t = 0; t < chains.mine.count; t++)
    for (Index l = 0; l < tiling.width; l++) {
      std::size_t v = 0;
      for (Index i = 0; i < model.visible_dimension(); i++) v |= std::size_t(x(t, i, l)) << i;
      counts[v]++;
    }
  ranks().all_reduce(counts, Reduction::sum);
  double const z = std::exp(small::log_z(model)), n = double(tiling.chains);
  for (std::size_t v = 0; v < counts.size(); v++) {
    double const p = weights[v] / z;
    EXPECT_NEAR(counts[v] / n, p, 5 * std::sqrt(p * (1 - p) / n) + 1 / n) << "state " << v;
  }
}
TEST(Enumeration, ExactDraws) {
  expect_exact_draws(small::rbm(5, 3, 1.5));
  expect_exact_draws(small::rbm(4, 9, 1));
  expect_exact_draws(small::machine(4, 3, 1));
}

}  // namespace
}  // namespace partita
