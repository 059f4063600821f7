#include <gmock/gmock.h>

#include <cmath>

#include "data/rounding.hpp"

namespace partita::data {
namespace {

// Rounding to multiples of `step`.
std::vector<double> errors(std::vector<double> const& x, double step) {
  return rounding_errors({std::ssize(x), 1, [&](Index i, double* exact, double* rounded) {
                            exact[0] = x[i];
                            rounded[0] = step * std::round(exact[0] / step);
                          }});
}

TEST(Rounding, ErrorInStandardDeviations) {
  // (i + 1/2) / 40, i < 40, and multiples of 1/8: distances of 1/2, 3/2, 5/2, 3/2, 1/2 by turns, in 40ths.
  double const expected = 1.5 / std::sqrt((1600 - 1) / 12.);
  std::vector<double> uniform;
  for (int i = 0; i < 40; i++) uniform.push_back((i + 0.5) / 40);
  EXPECT_NEAR(errors(uniform, 0.125)[0], expected, 1e-12);
  for (double& x : uniform) x = 1024 * (1024 + x);
  EXPECT_NEAR(errors(uniform, 128)[0], expected, 1e-9);
  EXPECT_GT(errors(uniform, 4096)[0], 1);
  EXPECT_EQ(errors({0, 1, 2}, 1)[0], 0);
  EXPECT_EQ(errors({1e9, 0.125, 0.25, 0.375, 0.4, 0.125}, 1)[0], 1);  // beside the outlier all are 0
  EXPECT_EQ(errors({0.25, 0.25}, 1)[0], 0);                           // no spread to lose
}

TEST(Rounding, RanksThatSharePointsFindWhatOneWithAllDoes) {
  Communicator const ranks = Communicator::world();
  std::vector<double> const x{1, 2, 4, 8, 16};
  std::vector<double> mine;
  for (std::size_t i = std::size_t(ranks.rank()); i < x.size(); i += std::size_t(ranks.ranks())) mine.push_back(x[i]);
  auto const halves_more = [](std::vector<double> const& of) {
    return Rounded{std::ssize(of), 1, [&of](Index i, double* exact, double* rounded) { exact[0] = of[i], rounded[0] = exact[0] + 0.5; }};
  };
  double const expected = 0.5 / std::sqrt(341. / 5 - 31. / 5 * 31. / 5);
  EXPECT_NEAR(rounding_errors(halves_more(x))[0], expected, 1e-14);
  auto const over_ranks = [&](std::vector<double>& values, Reduction how) { ranks.all_reduce(values, how); };
  EXPECT_NEAR(rounding_errors(halves_more(mine), over_ranks)[0], expected, 1e-14);
}

TEST(Rounding, TheWarningCountsAndNamesTheWorst) {
  EXPECT_EQ(rounding_warning("x.h5", {0, 0.02}), "");
  EXPECT_THAT(rounding_warning("x.h5", {0, 0.05, 0.5, 0.01}),
              testing::AllOf(testing::HasSubstr("x.h5: single precision moves 2 of 4"), testing::HasSubstr("entry 2 by 0.5")));
}

}  // namespace
}  // namespace partita::data
