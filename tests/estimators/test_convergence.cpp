#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "estimators/convergence.hpp"

namespace partita {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// x <- phi x + (sum of four uniforms - 2), uniforms by Knuth's 64-bit linear congruential generator; a chain starts from x = 0 and goes on
// with the generator. Only +, - and *, so that Python's numbers are the same.
ChainSeries series(Index chains, Index draws, double phi, std::uint64_t seed, std::function<double(double, Index, Index)> const& f) {
  ChainSeries s{chains, draws, {}};
  for (Index c = 0; c < chains; c++) {
    double x = 0;
    for (Index d = 0; d < draws; d++) {
      double noise = 0;
      for (int k = 0; k < 4; k++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        noise += double(seed >> 11) * 0x1p-53;
      }
      x = phi * x + (noise - 2);
      s.values.push_back(f(x, c, d));
    }
  }
  return s;
}
ChainSeries series(Index chains, Index draws, double phi, std::uint64_t seed) {
  return series(chains, draws, phi, seed, [](double x, Index, Index) { return x; });
}

// As ArviZ 0.23.4 (SciPy 1.17.1, NumPy 2.4.6) gives them for the same arrays: rhat(method="split" and "rank"), ess(method="mean", "bulk"
// and "tail"). Its autocovariances come from a fast Fourier transform, hence 1e-10 and not rounding.
struct Golden {
  double split_rhat, rank_rhat, mean_ess, bulk_ess, tail_ess;
};
void expect(ChainSeries const& s, Golden const& g) {
  auto const agrees = [](char const* what, double value, double golden) {
    if (std::isnan(golden)) EXPECT_TRUE(std::isnan(value)) << what << " = " << value;
    else EXPECT_NEAR(value, golden, 1e-10 * golden) << what;
  };
  agrees("split R-hat", split_rhat(s), g.split_rhat);
  agrees("rank R-hat", rank_rhat(s), g.rank_rhat);
  agrees("mean ESS", effective_sample_size(s), g.mean_ess);
  agrees("bulk ESS", bulk_ess(s), g.bulk_ess);
  agrees("tail ESS", tail_ess(s), g.tail_ess);
}

TEST(Convergence, AutoregressiveChains) {
  expect(series(4, 200, 0.75, 1), {1.0120841588514276, 1.0116694541534401, 164.40966775495593, 166.71253403915162, 421.0991113434699});
}
TEST(Convergence, TiesShareTheirRank) {
  expect(series(2, 50, 0.75, 2, [](double x, Index, Index) { return std::floor(2 * x); }),
         {1.2592734688411615, 1.2549998311054344, 6.458389787897773, 6.591137596988628, 30.662932602874275});
}
TEST(Convergence, ShiftedChainsDisagree) {
  expect(series(4, 200, 0.75, 1, [](double x, Index c, Index) { return x + 0.5 * double(c); }),
         {1.254723441034918, 1.2512646741107873, 13.136404375657111, 13.376357651331173, 150.19262561431023});
}
TEST(Convergence, ChainsOfDifferentScaleDisagreeInTheFoldedRhat) {
  expect(series(4, 200, 0.75, 1, [](double x, Index c, Index) { return x * double(1 + c); }),
         {1.0145981964500124, 1.1508358790713071, 165.70792882897254, 163.85840435049403, 177.05797304475303});
}
TEST(Convergence, OddNumberOfDrawsWithQuantilesOnDraws) {  // 141 values: the 5 % quantile is the 8th
  expect(series(3, 47, 0.5, 3), {0.981225754012006, 0.9990744512421521, 68.80810049028094, 68.46234951819092, 128.18154196733767});
}
TEST(Convergence, AntitheticChainsAreWorthAtMostNLogN) {
  expect(series(2, 40, -0.9375, 4), {0.9833342936580861, 1.1085580289503716, 152.24719895935547, 152.24719895935547, 74.37892095357593});
  expect(series(2, 40, 0, 5, [](double, Index, Index d) { return d % 2 == 0 ? -1. : 1.; }),
         {0.9746794344808963, 0.9746794344808963, 152.24719895935547, 152.24719895935547, 80});
}
TEST(Convergence, ShortestChains) {
  double const most = 19.265919722494797;  // 16 log10(16)
  expect(series(4, 4, 0.5, 6), {1.0952356851197136, 1.143973009914119, most, most, most});
  expect(series(4, 5, 0.5, 6), {1.1528323599672148, 1.1513816456501826, most, most, most});
  expect(series(2, 8, 0.5, 7), {0.8848563954512164, 1.1158063785504313, most, most, most});
}
TEST(Convergence, OfOneNumberNothingIsKnown) {  // as Stan's posterior package has it; ArviZ gives an ESS of all draws
  ChainSeries const s = series(2, 10, 0, 5, [](double, Index, Index) { return 3.; });
  expect(s, {nan, nan, nan, nan, nan});
  EXPECT_EQ(why_unknown(s), "all draws of all chains are the same number");
}
// Within chains there is no variance to compare with, or its rounding alone.
TEST(Convergence, OfChainsThatNeverMoveNothingIsKnown) {
  ChainSeries const s = series(3, 10, 0, 5, [](double, Index c, Index) { return 0.1 * double(c); });
  expect(s, {nan, nan, nan, nan, nan});
  EXPECT_EQ(why_unknown(s), "no chain moves: each has the same number in all of its draws");
}
TEST(Convergence, OfTwoValuesTheFoldedRhatSaysNothing) {  // half the draws are 1: |x - median| is one number
  ChainSeries const s = series(2, 16, 0, 5, [](double, Index, Index d) { return d % 4 < 2 ? 0. : 1.; });
  EXPECT_TRUE(std::isfinite(rank_rhat(s)));
  EXPECT_EQ(tail_ess(s), 32);  // both quantiles are known: the values are 0 and 1
}
TEST(Convergence, OneChainIsComparedWithItself) {  // ArviZ wants two for R-hat
  ChainSeries const s = series(1, 100, 0.75, 8);
  EXPECT_NEAR(effective_sample_size(s), 21.757618880857788, 1e-8);
  EXPECT_NEAR(bulk_ess(s), 22.3398686945943, 1e-8);
  EXPECT_NEAR(tail_ess(s), 58.939116125523825, 1e-8);
  ChainSeries halves{2, 50, s.values}, quarters{4, 25, s.values};
  EXPECT_TRUE(std::isfinite(split_rhat(s)));
  EXPECT_NE(split_rhat(halves), split_rhat(s));
  EXPECT_EQ(split_rhat(halves), split_rhat({2, 50, quarters.values}));
}
TEST(Convergence, TooFewDrawsAndNonFiniteValuesGiveNaN) {
  expect(series(4, 3, 0.5, 1), {nan, nan, nan, nan, nan});
  EXPECT_EQ(why_unknown(series(4, 3, 0.5, 1)), "3 draws of each chain, fewer than the 4 that are needed");
  ChainSeries s = series(4, 100, 0.5, 1);
  s.values[37] = std::numeric_limits<double>::infinity();
  expect(s, {nan, nan, nan, nan, nan});
  s.values[37] = nan;
  expect(s, {nan, nan, nan, nan, nan});
  EXPECT_EQ(why_unknown(s), "a draw is not a finite number");
}

TEST(NormalQuantile, KnownValues) {  // mpmath at 40 digits
  std::pair<double, double> const known[] = {
      {1e-300, -37.047096299361199237}, {1e-16, -8.2220822161304356152},   {1e-5, -4.2648907939228246102},  {0.025, -1.9599639845400542118},
      {0.25, -0.6744897501960817432},   {0.4375, -0.15731068461017069552}, {0.625, 0.31863936396437516302}, {0.975, 1.9599639845400538556}};
  for (auto const& [p, x] : known) EXPECT_NEAR(normal_quantile(p), x, 1e-14 * std::abs(x)) << p;
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-16);
}
TEST(NormalQuantile, InvertsTheDistributionFunction) {
  for (double x = -8; x <= 0; x += 0.01)
    EXPECT_NEAR(normal_quantile(0.5 * std::erfc(-x / std::sqrt(2.))), x, 1e-14 * std::max(1., std::abs(x))) << x;
}

}  // namespace
}  // namespace partita
