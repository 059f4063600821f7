// Recall of binary networks against the literature and themselves, retrieval by continuous ones, and their sampling.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/copy.hpp"
#include "estimators/hopfield.hpp"
#include "models/hopfield.hpp"
#include "models/host_values.hpp"
#include "samplers/mala.hpp"

namespace partita {
namespace {

auto const key = random::make_key(17);

TEST(HopfieldCapacity, PatternsArePerfectAtLowLoadAndTheFirstSweepIsGaussian) {
  auto const low = recall_overlaps({.units = 600, .patterns = 12, .networks = 3, .sweeps = 3}, key, 0, Communicator::world());
  ASSERT_EQ(low.size(), 4u);
  for (Estimate const& e : low) EXPECT_DOUBLE_EQ(e.value, 1);
  // At a stored pattern N h_i xi_i = N - 1 + a sum of (N - 1)(P - 1) signs: after one sweep the overlap is 1 - 2 Phi(-sqrt(N / P)) up to
  // corrections of order 1/P.
  for (Index patterns : {96, 150, 240}) {
    Estimate const first =
        recall_overlaps({.units = 600, .patterns = patterns, .networks = 6, .sweeps = 1}, key, 100, Communicator::world())[1];
    EXPECT_NEAR(first.value, std::erf(std::sqrt(300. / double(patterns))), 4 * first.error + 0.5 / double(patterns));
  }
}

// 20 networks of 600 units, P / N = .13 and .16, against 200 of an independent program (NumPy, generator and arithmetic of its own). Small
// networks forget more than those of N = 3000 below capacity, and less beyond it. Four errors of the difference.
TEST(HopfieldCapacity, SmallNetworksAgreeWithAnIndependentProgram) {
  struct Reference {
    Index patterns, sweeps;
    double value, error;
  };
  for (Reference const& r : {Reference{78, 50, 0.9762, 0.0009}, {96, 20, 0.8726, 0.0023}, {96, 50, 0.8298, 0.0032}}) {
    Estimate const found =
        recall_overlaps({.units = 600, .patterns = r.patterns, .networks = 20, .sweeps = r.sweeps}, key, 200, Communicator::world()).back();
    EXPECT_NEAR(found.value, r.value, 4 * std::hypot(found.error, r.error)) << r.patterns << " patterns, " << r.sweeps << " sweeps";
    EXPECT_NEAR(found.error / (std::sqrt(10.) * r.error), 1, 0.65);  // four errors of a spread of 20
  }
}

// N = 3000 and five networks: within 0.01 of the literature's .986 at P / N = .13 and .964 at .138, and beyond capacity falling with the
// sweeps. Twenty other networks of this code gave .9848 +- .0004 and .9552 +- .0017, so that at .138 five networks of some seeds lie
// further from .964. A minute on one core: not among the unit tests but run by name, ctest -L slow.
TEST(HopfieldCapacity, DISABLED_GoldenOverlapsOfLargeNetworks) {
  auto const overlaps = [](double load, Index sweeps, Index first) {
    return recall_overlaps({.units = 3000, .patterns = std::lround(load * 3000), .networks = 5, .sweeps = sweeps}, key, first,
                           Communicator::world());
  };
  EXPECT_NEAR(overlaps(0.13, 50, 0).back().value, 0.986, 0.01);
  auto const critical = overlaps(0.138, 50, 5).back();
  EXPECT_NEAR(critical.value, 0.964, 0.01);
  EXPECT_NEAR(critical.value, 0.9552, 4 * std::hypot(critical.error, 0.0017));
  auto const beyond = overlaps(0.16, 400, 10);
  for (auto const& [sweeps, value] : {std::pair(20, 0.84), {50, 0.58}, {100, 0.49}, {400, 0.47}}) {
    Estimate const& e = beyond[sweeps];
    EXPECT_NEAR(e.value, value, 4 * std::sqrt(2.) * e.error) << sweeps;  // both have the errors of five networks
  }
  EXPECT_NEAR(overlaps(0.2, 50, 15).back().value, 0.33, 0.01);
}

// Whole numbers all the way: the same mean whatever the instruction set, the ranks and their shares. 300 patterns are three tiles.
TEST(HopfieldCapacity, SameBitsOnAnyNumberOfRanks) {
  auto const found = recall_overlaps({.units = 300, .patterns = 300, .networks = 2, .sweeps = 4}, key, 40, Communicator::world());
  double by_hand = 0;
  for (Index which : {40, 41}) {
    auto const patterns = random_patterns(300, 300, key, which);
    Hopfield network(300);
    network.remember(patterns);
    TileStorage const x("states", 1, 300, 320);
    auto const all = Kokkos::subview(x, 0, Kokkos::ALL, std::pair(0, 300));
    Kokkos::View<Real**, Kokkos::LayoutRight, DeviceMemory, Kokkos::MemoryUnmanaged> const stored(patterns.data(), 300, 300);
    copy_array(all, stored);
    for (int sweep = 0; sweep < 4; sweep++)
      network.recall(Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, std::pair(0, 304)), Order::together);
    auto const a = values_on_host(x);
    auto const b = values_on_host(stored);
    Index sum = 0;
    for (Index i = 0; i < 300; i++)
      for (Index p = 0; p < 300; p++) sum += Index(a(0, i, p) * b(i, p));
    by_hand += double(sum) / (300. * 300.) / 2;
  }
  EXPECT_DOUBLE_EQ(found[4].value, by_hand);
}

TEST(ModernRetrieval, SharpNetworksRetrieveAndBluntOnesDoNot) {
  auto const model = make_modern_hopfield({.dimension = 64, .patterns = 5000}, key);
  auto const sharp = retrieve(*model, {.beta = 1, .queries = 700}, key, Communicator::world());
  auto const blunt = retrieve(*model, {.beta = 0.125, .queries = 700}, key, Communicator::world());
  ASSERT_EQ(sharp.distance.size(), 700u);
  ASSERT_EQ(blunt.overlap.size(), 700u);
  // |x_i|^2 = 63 with a spread of 4 from the noise, other patterns up to 8.9 * 7.9 * cos with cos < .6: weights of e^-7 in all at most.
  EXPECT_LT(*std::max_element(sharp.distance.begin(), sharp.distance.end()), 0.01);
  EXPECT_GT(*std::min_element(sharp.overlap.begin(), sharp.overlap.end()), 0.9999);
  EXPECT_GT(*std::min_element(blunt.distance.begin(), blunt.distance.end()), 0.1);
  // Without noise and with more queries than patterns each comes back as often as it is shown.
  auto const again = retrieve(*model, {.beta = 1, .queries = 5003, .noise = 0}, key, Communicator::world());
  // The last tile is narrower, and products of another shape may round otherwise: distances of nothing but rounding differ by some.
  for (std::size_t q = 0; q < 3; q++)
    EXPECT_NEAR(again.distance[q], again.distance[5000 + q], 64 * double(std::numeric_limits<Real>::epsilon()));
}

// Every rank finds by itself what the ranks find together, and in the order of the queries.
TEST(ModernRetrieval, SameBitsOnAnyNumberOfRanks) {
  Index const d = 20;
  auto const model = make_modern_hopfield({.dimension = d, .patterns = 1500}, key);
  auto const found = retrieve(*model, {.beta = 0.2, .queries = 1000}, key, Communicator::world());
  ASSERT_EQ(found.distance.size(), 1000u);
  Tiling const tiling{1000, 128};
  TileStorage const x("queries", 1, d, 128), y("results", 1, d, 128);
  auto const patterns = to_host(model->memory());
  for (Index tile = 0; tile < tiling.tiles(); tile++) {
    place(x, ChainNumbers(tiling, {tile, 1}), {.key = key, .stream = random::Stream::recall_noise}, {InitialState::normal, 0.5});
    auto const lanes = std::pair(Index{0}, tiling.lanes(tile));
    auto const pattern = [&](Index l, Index i) { return Real(patterns[(tile * 128 + l) * d + i]); };
    auto const noisy = values_on_host(x);
    for (Index l = 0; l < lanes.second; l++)
      for (Index i = 0; i < d; i++) noisy(0, i, l) += pattern(l, i);
    copy_array(x, noisy);
    model->update(Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, lanes), 0.2, Kokkos::subview(y, Kokkos::ALL, Kokkos::ALL, lanes));
    auto const result = values_on_host(y);
    for (Index l = 0; l < tiling.chains_in(tile); l++) {
      double apart = 0, square = 0;
      for (Index i = 0; i < d; i++) {
        double const difference = double(result(0, i, l)) - double(pattern(l, i));
        apart += difference * difference;
        square += double(pattern(l, i)) * double(pattern(l, i));
      }
      EXPECT_DOUBLE_EQ(found.distance[tile * 128 + l], std::sqrt(apart / square));
    }
  }
}

// At beta = 1 a mixture of standard normal laws: mean sum w_i x_i and second moments 1 + sum w_i x_i x_i', w_i ~ exp(|x_i|^2 / 2).
TEST(ModernHopfieldSampling, LangevinSamplesTheMixture) {
  Index const d = 3;
  std::vector<double> const patterns{1.2, 0, 0.3, -0.9, 0.4, 0, 0, -1, -0.5};
  ModernHopfield model(d, 1);
  model.remember(patterns);
  auto const world = Communicator::world();
  Tiling const tiling{1 << 14, 256};
  TileRange const mine = share_of_tiles(tiling.tiles(), world.rank(), world.ranks());
  Chains chains("chains", tiling, mine, d);
  initialise(chains, key, random::Stream::initial_state, 0, {});
  Mala sampler({.step_size = 0.5});
  model.reserve(1, tiling.width);
  sampler.prepare(model, chains, key);
  sampler.advance(model, chains, key, 0, 200);
  SampleSet samples{world, tiling, mine, 1, d, {}, {}};
  auto const x = values_on_host(chains.x);
  for (Index c = 0; c < samples.chains_here(); c++)
    for (Index i = 0; i < d; i++) samples.x.push_back(float(x(c / 256, i, c % 256)));
  auto const found = expectations(samples, 6, [](float const* p, double, double* out) {
    for (int i = 0; i < 3; i++) out[i] = p[i], out[3 + i] = p[i] * p[(i + 1) % 3];
  });
  std::vector<double> exact(6);
  double z = 0;
  for (std::size_t p = 0; p < 9; p += 3) {
    double const* const at = &patterns[p];
    double const weight = std::exp((at[0] * at[0] + at[1] * at[1] + at[2] * at[2]) / 2);
    z += weight;
    for (std::size_t i = 0; i < 3; i++) exact[i] += weight * at[i], exact[3 + i] += weight * at[i] * at[(i + 1) % 3];
  }
  for (std::size_t k = 0; k < 6; k++) EXPECT_NEAR(found[k].value, exact[k] / z, 4 * found[k].error) << k;
}

}  // namespace
}  // namespace partita
