// A chain's bits depend on its number and the seed alone: not on how steps are cut into calls, how tiles are dealt to ranks,
// how wide tiles are, nor on which path advances them.
#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "energies/banana.hpp"
#include "energies/double_well.hpp"
#include "energies/funnel.hpp"
#include "energies/gaussian.hpp"
#include "energies/gaussian_mixture.hpp"
#include "energies/many_well.hpp"
#include "energies/mueller_brown.hpp"
#include "energies/phi4.hpp"
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

auto const key = random::make_key(12, 3);
constexpr Index chain_count = 165, steps = 23;               // no multiple of 16; odd
InitialDistribution const start{InitialState::normal, 0.3};  // where every energy is tame

struct Algorithm {
  std::string name;
  std::function<std::unique_ptr<Sampler>()> make;
  Index least = 1;  // dimension
};
std::ostream& operator<<(std::ostream& out, Algorithm const& a) { return out << a.name; }

class Determinism : public testing::TestWithParam<Algorithm> {};
INSTANTIATE_TEST_SUITE_P(
    Samplers, Determinism,
    testing::Values(Algorithm{"ula", [] { return std::make_unique<Ula>(UlaOptions{.step_size = 0.02}); }},
                    Algorithm{"leimkuhler_matthews",
                              [] { return std::make_unique<LeimkuhlerMatthews>(LeimkuhlerMatthewsOptions{.step_size = 0.02}); }},
                    Algorithm{"underdamped", [] { return std::make_unique<Underdamped>(UnderdampedOptions{.step_size = 0.1}); }},
                    Algorithm{"mala", [] { return std::make_unique<Mala>(MalaOptions{.step_size = 0.05}); }},
                    Algorithm{"barker", [] { return std::make_unique<Barker>(BarkerOptions{.step_size = 0.3}); }},
                    Algorithm{"hmc", [] { return std::make_unique<Hmc>(HmcOptions{.step_size = 0.1, .leapfrog_steps = 3}); }},
                    Algorithm{"mclmc", [] { return std::make_unique<Mclmc>(MclmcOptions{.step_size = 0.1}); }, 2},
                    Algorithm{"mams", [] { return std::make_unique<Mams>(MamsOptions{.step_size = 0.1, .trajectory_length = 0.3}); }, 2}),
    [](auto const& p) { return p.param.name; });

// Separable and not, in dimensions where a Philox call serves four steps, two, and one.
std::vector<std::unique_ptr<DifferentiableModel>> energies(Index least) {
  std::vector<std::unique_ptr<DifferentiableModel>> out;
  for (Index d : {1, 2, 5})
    if (d >= least) out.push_back(make_gaussian({.dimension = d, .mean = {0.5}, .diagonal = {0.7}}));
  out.push_back(make_gaussian({.dimension = 7, .precision = "ar1", .correlation = 0.4}));
  out.push_back(make_double_well({.dimension = 3}));
  out.push_back(make_many_well({.dimension = 4}));
  out.push_back(make_gaussian_mixture({}));
  out.push_back(make_mueller_brown({.temperature = 100}));
  out.push_back(make_funnel({.dimension = 4, .sigma = 1}));
  out.push_back(make_banana({}));
  out.push_back(make_phi4({.dimension = 6, .beta = 1}));
  return out;
}

struct Result {
  std::vector<Point> x, velocity;
  std::vector<std::int32_t> accepted;
  bool operator==(Result const&) const = default;
  friend std::ostream& operator<<(std::ostream& out, Result const& r) { return out << r.x.size() << " chains"; }
};
Result result(Chains const& c, Sampler const& sampler) {
  Result r{states(c), sampler.keeps_velocity() ? states(c, c.velocity) : std::vector<Point>{}, {}};
  auto const accepted = values_on_host(c.accepted);
  for (Index t = 0; t < c.mine.count; t++)
    for (Index l = 0; l < c.tiling.chains_in(c.mine.first + t); l++) r.accepted.push_back(accepted(t, l));
  return r;
}

Result advanced(Sampler& sampler, DifferentiableModel& model, Index width, TileRange mine, std::vector<Index> const& cuts) {
  Chains chains = make_chains(chain_count, model.dimension(), start, key, width, mine);
  model.reserve(tiles_in_flight(chains.mine.count), width);
  sampler.prepare(model, chains, key);
  Index step = 0;
  for (Index n : cuts) sampler.advance(model, chains, key, step, n), step += n;
  return result(chains, sampler);
}
Result reference(Algorithm const& a, DifferentiableModel& model) {
  auto const sampler = a.make();
  auto r = advanced(*sampler, model, 64, {0, -1}, {steps});
  for (auto const& x : r.x)
    for (double v : x) EXPECT_TRUE(std::isfinite(v));
  return r;
}

TEST_P(Determinism, CutsOfTheStepsDoNotMatter) {
  for (auto const& model : energies(GetParam().least)) {
    auto const whole = reference(GetParam(), *model);
    for (auto const& cuts : {std::vector<Index>{1, 22}, {2, 1, 20}, {3, 5, 7, 0, 8}, std::vector<Index>(steps, 1)}) {
      auto const sampler = GetParam().make();
      EXPECT_EQ(advanced(*sampler, *model, 64, {0, -1}, cuts), whole) << "dimension " << model->dimension();
    }
  }
}

TEST_P(Determinism, TileWidthDoesNotMatter) {
  for (auto const& model : energies(GetParam().least)) {
    auto const whole = reference(GetParam(), *model);
    for (Index width : {16, 48, 80, 112, 128, 176, 256}) {
      auto const sampler = GetParam().make();
      EXPECT_EQ(advanced(*sampler, *model, width, {0, -1}, {steps}), whole) << "dimension " << model->dimension() << " width " << width;
    }
  }
}

void expect_same_on_parts(Algorithm const& algorithm, DifferentiableModel& model, Index width) {
  auto const all = algorithm.make();
  auto const whole = advanced(*all, model, width, {0, -1}, {steps});
  Index const tiles = divide_up(chain_count, width);
  for (int ranks : {2, 3}) {
    Result together;
    for (int rank = 0; rank < ranks; rank++) {
      auto const sampler = algorithm.make();
      auto const part = advanced(*sampler, model, width, share_of_tiles(tiles, rank, ranks), {steps});
      together.x.insert(together.x.end(), part.x.begin(), part.x.end());
      together.velocity.insert(together.velocity.end(), part.velocity.begin(), part.velocity.end());
      together.accepted.insert(together.accepted.end(), part.accepted.begin(), part.accepted.end());
    }
    EXPECT_EQ(together, whole) << "dimension " << model.dimension() << " width " << width << " ranks " << ranks;
  }
}

TEST_P(Determinism, RanksDoNotMatter) {
  for (auto const& model : energies(GetParam().least)) {
    expect_same_on_parts(GetParam(), *model, 32);
    Hidden hidden(*model);
    expect_same_on_parts(GetParam(), hidden, 48);
  }
  auto const dense =
      make_gaussian({.dimension = 3, .mean = {1, 2, 3}, .precision = "dense", .matrix = {2, 0.5, 0, 0.5, 1, -0.25, 0, -0.25, 3}});
  expect_same_on_parts(GetParam(), *dense, 32);
  expect_same_on_parts(GetParam(), *dense, 48);
}

// A rank may take its tiles many steps further one after the other.
TEST_P(Determinism, OneTileAfterTheOtherEqualsAllAtOnce) {
  for (auto const& shown : energies(GetParam().least)) {
    auto const whole = reference(GetParam(), *shown);
    Hidden hidden(*shown);
    for (DifferentiableModel* model : {shown.get(), static_cast<DifferentiableModel*>(&hidden)}) {
      auto const sampler = GetParam().make();
      Chains chains = make_chains(chain_count, model->dimension(), start, key, 64);
      sampler->prepare(*model, chains, key);
      for (Index tile : {2, 0, 1}) sampler->advance(*model, chains, key, {tile, 1}, 0, steps);
      EXPECT_EQ(result(chains, *sampler), whole) << "dimension " << model->dimension();
    }
  }
}

// The path of large models runs the same scheme around the same energy: the same arithmetic, the same bits.
TEST_P(Determinism, FusedKernelEqualsModelAndSchemeInTurn) {
  for (auto const& model : energies(GetParam().least)) {
    auto const whole = reference(GetParam(), *model);
    Hidden hidden(*model);
    for (Index width : {48, 64}) {
      auto const sampler = GetParam().make();
      EXPECT_EQ(advanced(*sampler, hidden, width, {0, -1}, {3, steps - 3}), whole)
          << "dimension " << model->dimension() << " width " << width;
    }
  }
}

// Matrix products instead of a functor: other arithmetic, so the same chains up to rounding that a contracting target does not amplify.
TEST_P(Determinism, DenseGaussianFollowsTheDiagonalOne) {
  auto const diagonal = make_gaussian({.dimension = 3, .mean = {0.5}, .diagonal = {1, 2}});
  auto const dense = make_gaussian({.dimension = 3, .mean = {0.5}, .precision = "dense", .matrix = {1, 0, 0, 0, 1.5, 0, 0, 0, 2}});
  auto const a = reference(GetParam(), *diagonal), b = reference(GetParam(), *dense);
  EXPECT_EQ(a.accepted, b.accepted);
  for (std::size_t n = 0; n < a.x.size(); n++)
    for (std::size_t i = 0; i < 3; i++) EXPECT_NEAR(a.x[n][i], b.x[n][i], 100 * std::numeric_limits<Real>::epsilon());
}

TEST_P(Determinism, SeedsAndSetsOfChainsDiffer) {
  auto const model = make_gaussian({.dimension = 2});
  auto const sampler = GetParam().make();
  auto const from = [&](random::Key k, Index first_number) {
    Chains chains("test", {64, 64}, {0, 1}, 2);
    chains.first_number = first_number;
    sampler->prepare(*model, chains, k);
    sampler->advance(*model, chains, k, 0, 1);
    return states(chains);
  };
  auto const a = from(key, 0), other_seed = from(random::make_key(12, 4), 0), later = from(key, 48);
  for (std::size_t n = 0; n < a.size(); n++) EXPECT_NE(a[n], other_seed[n]);
  EXPECT_NE(a[0], later[0]);
  for (std::size_t n = 48; n < 64; n++) EXPECT_EQ(a[n], later[n - 48]);  // first_number shifts the numbers, nothing else
}

}  // namespace
