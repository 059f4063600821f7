// Held coordinates: the others follow the conditional law, and what is held keeps its bits.
#include <gtest/gtest.h>

#include <bit>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "energies/double_well.hpp"
#include "energies/gaussian.hpp"
#include "samplers/annealed_langevin.hpp"
#include "samplers/barker.hpp"
#include "samplers/hmc.hpp"
#include "samplers/leimkuhler_matthews.hpp"
#include "samplers/mala.hpp"
#include "samplers/mclmc.hpp"
#include "samplers/ula.hpp"
#include "samplers/underdamped.hpp"
#include "sampling.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

auto const key = random::make_key(5);

// A score with one level of noise, for annealed_langevin: at that level it is ula.
class OneLevel : public ScoreModel {
 public:
  explicit OneLevel(DifferentiableModel const& m) : model_(m) {}
  Index dimension() const override { return model_.dimension(); }
  void gradient(ConstTiles x, Tiles g) const override { model_.gradient(x, g); }
  std::vector<double> noise_levels() const override { return {1}; }

 private:
  DifferentiableModel const& model_;
};

struct Algorithm {
  std::string name;
  std::function<std::unique_ptr<Sampler>()> make;
  bool biased = false;  // by its step size, as ula is
  Index least = 1;      // coordinates that move
};
std::ostream& operator<<(std::ostream& out, Algorithm const& a) { return out << a.name; }
constexpr double eta = 0.2;

class HeldCoordinates : public testing::TestWithParam<Algorithm> {};
INSTANTIATE_TEST_SUITE_P(
    Samplers, HeldCoordinates,
    testing::Values(
        Algorithm{"ula", [] { return std::make_unique<Ula>(UlaOptions{.step_size = eta}); }, true},
        Algorithm{"annealed_langevin",
                  [] { return std::make_unique<AnnealedLangevin>(AnnealedLangevinOptions{.step_size = eta, .level_steps = 10}); }, true},
        Algorithm{"leimkuhler_matthews", [] { return std::make_unique<LeimkuhlerMatthews>(LeimkuhlerMatthewsOptions{.step_size = eta}); }},
        Algorithm{"underdamped", [] { return std::make_unique<Underdamped>(UnderdampedOptions{.step_size = 0.5}); }},
        Algorithm{"mala", [] { return std::make_unique<Mala>(MalaOptions{.step_size = eta}); }},
        Algorithm{"barker", [] { return std::make_unique<Barker>(BarkerOptions{.step_size = 0.8}); }},
        Algorithm{"hmc", [] { return std::make_unique<Hmc>(HmcOptions{.step_size = 0.4, .leapfrog_steps = 2}); }},
        Algorithm{"mclmc", [] { return std::make_unique<Mclmc>(MclmcOptions{.step_size = 0.2, .decoherence_length = 1.5}); }, false, 2},
        Algorithm{"mams", [] { return std::make_unique<Mams>(MamsOptions{.step_size = 0.5, .trajectory_length = 1.5}); }, false, 2}),
    [](auto const& p) { return p.param.name; });

Held flags(std::vector<int> const& held) {
  DeviceVector<std::uint8_t> const device("held", held.size());
  auto const host = Kokkos::create_mirror_view(device);
  for (std::size_t i = 0; i < held.size(); i++) host(i) = static_cast<std::uint8_t>(held[i]);
  copy_array(device, host);
  return device;
}

// Given x_h, x_f is normal with precision H_ff and mean mu_f - H_ff^-1 H_fh (x_h - mu_h).
struct Conditional {
  GaussianMoments joint;
  std::vector<Index> free, held;
  Matrix precision, regression;  // H_ff, H_ff^-1 H_fh

  Conditional(GaussianMoments m, std::vector<int> const& flags) : joint(std::move(m)) {
    for (std::size_t i = 0; i < flags.size(); i++) (flags[i] ? held : free).push_back(Index(i));
    precision = block(free), regression = inverse(precision) * block(held);
  }
  Matrix block(std::vector<Index> const& columns) const {
    Matrix m(std::ssize(free), std::ssize(columns));
    for (Index i = 0; i < m.rows; i++)
      for (Index j = 0; j < m.columns; j++) m(i, j) = joint.precision(free[i], columns[j]);
    return m;
  }
  // x_f minus its mean given the chain's own x_h.
  Point residual(Point const& x) const {
    auto const centred = [&](Index i) { return x[i] - joint.mean[i]; };
    Point y, out;
    for (Index j : held) y.push_back(centred(j));
    Point const shift = regression * y;
    for (std::size_t i = 0; i < free.size(); i++) out.push_back(centred(free[i]) + shift[i]);
    return out;
  }
};

// A diagonal, a tridiagonal (both fused) and a dense (through matrix products) precision; 1, 2 and 4 coordinates move, which draw their
// noise in different ways. Bounds of four standard errors over 2^14 chains, each with held values of its own.
TEST_P(HeldCoordinates, TheOthersFollowTheConditionalLaw) {
  std::vector<double> dense(16, 0.3);
  for (std::size_t i = 0; i < 4; i++) dense[5 * i] = 1 + 0.3 * double(i);
  for (auto const& [options, held] :
       {std::pair(GaussianOptions{.dimension = 3, .mean = {0.5}, .diagonal = {1, 2}}, std::vector{1, 0, 1}),
        std::pair(GaussianOptions{.dimension = 6, .mean = {0.5}, .precision = "ar1", .correlation = 0.5}, std::vector{0, 1, 0, 0, 1, 0}),
        std::pair(GaussianOptions{.dimension = 4, .mean = {1, 2, 3, 4}, .precision = "dense", .matrix = dense}, std::vector{0, 1, 1, 0})}) {
    if (std::count(held.begin(), held.end(), 0) < GetParam().least) continue;
    auto const model = make_gaussian(options);
    OneLevel const levels(*model);
    auto const sampler = GetParam().make();
    Model const& target = GetParam().name == "annealed_langevin" ? static_cast<Model const&>(levels) : *model;
    Chains chains = make_chains(1 << 14, options.dimension, {InitialState::normal, 1.5}, key);
    chains.held = flags(held);
    model->reserve(tiles_in_flight(chains.mine.count), chains.tiling.width);
    sampler->prepare(target, chains, key);
    auto const before = states(chains);
    sampler->advance(target, chains, key, 0, 150);
    sampler->advance(target, chains, key, 150, 50);
    auto const after = states(chains);
    Conditional const exact(model->gaussian().at(0), held);
    std::vector<Point> residuals;
    for (std::size_t n = 0; n < after.size(); n++) {
      for (std::size_t i = 0; i < held.size(); i++)
        EXPECT_EQ(std::bit_cast<std::uint64_t>(after[n][i]) == std::bit_cast<std::uint64_t>(before[n][i]), held[i] == 1);
      residuals.push_back(exact.residual(after[n]));
    }
    Matrix const covariance =
        GetParam().biased ? Ula({.step_size = eta}).stationary_covariance(exact.precision).value() : inverse(exact.precision);
    EXPECT_LT(largest_z(residuals, Point(exact.free.size(), 0), covariance), 4) << options.precision;
    if (!sampler->keeps_velocity()) continue;
    for (Point const& v : states(chains, chains.velocity))
      for (std::size_t i = 0; i < held.size(); i++) EXPECT_EQ(v[i] == 0, held[i] == 1);
  }
}

// What the energy does along a held coordinate is never seen: an infinite slope there leaves no trace, nor does the sign of its zero.
TEST_P(HeldCoordinates, SlopesOfHeldCoordinatesAreNotUsed) {
  auto const model = make_double_well({.dimension = 3});
  OneLevel const levels(*model);
  for (double value : {-0., 1e30}) {
    Chains chains = make_chains(64, 3, {InitialState::normal, 0.1}, key);
    chains.held = flags({0, 1, 0});
    fill_array(Kokkos::subview(chains.x, Kokkos::ALL, 1, Kokkos::ALL), Real(value));
    auto const sampler = GetParam().make();
    Model const& target = GetParam().name == "annealed_langevin" ? static_cast<Model const&>(levels) : *model;
    sampler->prepare(target, chains, key);
    sampler->advance(target, chains, key, 0, 3);
    for (Point const& x : states(chains)) {
      EXPECT_EQ(x[1], double(Real(value)));
      EXPECT_EQ(std::signbit(x[1]), std::signbit(value));
      EXPECT_TRUE(std::isfinite(x[0]) && std::isfinite(x[2]));
    }
  }
}

// Flags that hold nothing are no flags; where all is held nothing moves.
TEST_P(HeldCoordinates, NothingAndEverything) {
  auto const model = make_gaussian({.dimension = 5});
  OneLevel const levels(*model);
  Model const& target = GetParam().name == "annealed_langevin" ? static_cast<Model const&>(levels) : *model;
  auto const moved = [&](Held held) {
    Chains chains = make_chains(80, 5, {}, key);
    chains.held = held;
    auto const sampler = GetParam().make();
    sampler->prepare(target, chains, key);
    sampler->advance(target, chains, key, 0, 7);
    return states(chains);
  };
  EXPECT_EQ(moved(flags({0, 0, 0, 0, 0})), moved({}));
  EXPECT_EQ(moved(flags({1, 1, 1, 1, 1})), states(make_chains(80, 5, {}, key)));
  EXPECT_THROW(moved(flags({1, 0})), Failure);
}

}  // namespace
