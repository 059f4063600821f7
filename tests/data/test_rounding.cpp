#include <gmock/gmock.h>

#include <cmath>

#include "data/rounding.hpp"

namespace partita::data {
namespace {

// Rounding to multiples of `step`.
std::vector<double> errors(std::vector<double> const& x, double step) {
  return rounding_errors({static_cast<Index>(x.size()), 1, [&](Index i, double* exact, double* rounded) {
                            exact[0] = x[static_cast<std::size_t>(i)];
                            rounded[0] = step * std::round(exact[0] / step);
                          }});
}

TEST(Rounding, ErrorInStandardDeviations) {
  // Uniform numbers in [0, 1) on a lattice that multiples of 1/8 round: error 1/8 / sqrt(12) to 1/16^2 of itself, deviation 1/sqrt(12).
  std::vector<double> uniform;
  for (int i = 0; i < 1024; i++) uniform.push_back((i + 0.5) / 1024);
  EXPECT_NEAR(errors(uniform, 0.125)[0], 0.125, 1e-3);
  for (double& x : uniform) x = 1e6 + 1e-3 * x;
  EXPECT_NEAR(errors(uniform, 1.25e-4)[0], 0.125, 1e-3);
  EXPECT_GT(errors(uniform, 1)[0], 1);
  EXPECT_EQ(errors({0, 1, 2}, 1)[0], 0);
  EXPECT_EQ(errors({0.25, 0.25}, 1)[0], 0);  // no spread to lose
}

TEST(Rounding, RanksThatSharePointsFindWhatOneWithAllDoes) {
  Communicator const ranks = Communicator::world();
  std::vector<double> const x{1, 2, 4, 8, 16};
  std::vector<double> mine;
  for (std::size_t i = static_cast<std::size_t>(ranks.rank()); i < x.size(); i += static_cast<std::size_t>(ranks.ranks()))
    mine.push_back(x[i]);
  auto const halves_more = [](std::vector<double> const& of) {
    return Rounded{static_cast<Index>(of.size()), 1, [&of](Index i, double* exact, double* rounded) {
                     exact[0] = of[static_cast<std::size_t>(i)], rounded[0] = exact[0] + 0.5;
                   }};
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
