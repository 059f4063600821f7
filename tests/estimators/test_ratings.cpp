#include <gtest/gtest.h>

#include <cmath>

#include "core/random.hpp"
#include "core/require.hpp"
#include "estimators/ratings.hpp"

namespace partita {
namespace {

// Two users, three items; item 2 is not rated.
std::vector<Rating> const train{{0, 0, 5}, {0, 1, 3}, {1, 0, 3}, {1, 1, 1}, {1, 1, 2}};

TEST(RatingOffsets, AreMeansOfWhatIsLeft) {
  RatingOffsets const o = rating_offsets(train, 3, 3, 0);
  EXPECT_DOUBLE_EQ(o.mean, 14. / 5);
  EXPECT_DOUBLE_EQ(o.mean + o.item[0], 4);  // the item's mean
  EXPECT_DOUBLE_EQ(o.mean + o.item[1], 2);
  EXPECT_EQ(o.item[2], 0);               // the mean of all
  EXPECT_DOUBLE_EQ(o.user[0], 1);        // of 1 and 1
  EXPECT_DOUBLE_EQ(o.user[1], -2. / 3);  // of -1, -1 and 0
  EXPECT_EQ(o.user[2], 0);
  EXPECT_DOUBLE_EQ(o(0, 2), 3.8);
}

TEST(RatingOffsets, AreShrunk) {
  RatingOffsets const o = rating_offsets(train, 2, 3, 2);
  EXPECT_DOUBLE_EQ(o.item[0], 2.4 / 4);   // (2.2 + 0.2) / (2 + 2)
  EXPECT_DOUBLE_EQ(o.item[1], -2.4 / 5);  // (0.2 - 1.8 - 0.8) / (3 + 2)
  EXPECT_DOUBLE_EQ(o.user[0], (2.2 - 0.6 + 0.2 + 0.48) / 4);
}

TEST(PredictionErrors, ByHand) {
  auto const e = prediction_errors({{0, 0, 1}, {0, 1, 2}, {3, 0, 3}}, {2, 2, 1});
  // Squares 1, 0, 4 with mean 5/3: sums of deviations -7/3 and 7/3, variance (2 / 1) 2 (7/3)^2 / 9.
  EXPECT_DOUBLE_EQ(e.root_mean_square.value, std::sqrt(5. / 3));
  EXPECT_DOUBLE_EQ(e.root_mean_square.error, 2 * (7. / 3) / 3 / (2 * std::sqrt(5. / 3)));
  EXPECT_DOUBLE_EQ(e.mean_absolute.value, 1);
  EXPECT_TRUE(std::isnan(prediction_errors({{0, 0, 1}, {0, 1, 2}}, {2, 2}).mean_absolute.error));  // of one user
}

// 400 data sets of 50 users with 20 ratings each, whose errors are a user's own plus a rating's: the scatter of the root mean square is
// the standard error, within 5 of its own deviations sqrt(1 / 800).
TEST(PredictionErrors, StandardErrorIsTheScatter) {
  Index const sets = 400, users = 50, each = 20;
  double sum = 0, squares = 0, claimed = 0;
  for (Index s = 0; s < sets; s++) {
    std::vector<Rating> truth;
    std::vector<double> predictions;
    for (Index u = 0; u < users; u++)
      for (Index i = 0; i < each; i++) {
        auto const normal = [&](Index which) {
          auto const w = random::words({1, 2}, std::uint64_t(s * users + u), random::Stream::test, std::uint64_t(which), 0);
          return random::normal_pair(w.w[0], w.w[1], double()).a;
        };
        truth.push_back({u, i, 0});
        predictions.push_back(normal(0) + normal(1 + i));
      }
    Estimate const e = prediction_errors(truth, predictions).root_mean_square;
    sum += e.value, squares += e.value * e.value, claimed += e.error / double(sets);
  }
  double const n = double(sets), scatter = std::sqrt((squares - sum * sum / n) / (n - 1));
  EXPECT_NEAR(scatter / claimed, 1, 5 / std::sqrt(2 * n));
}

TEST(PredictionErrors, DifferenceOfTwoPredictions) {
  std::vector<Rating> const truth{{0, 0, 1}, {0, 1, 2}, {3, 0, 3}};
  std::vector<double> const a{2, 2, 1}, b{1, 4, 4};
  auto const none = error_difference(truth, a, a);
  EXPECT_EQ(none.value, 0);
  EXPECT_EQ(none.error, 0);
  // Squares of a: 1, 0, 4; of b: 0, 4, 1; means 5/3 both: terms (1, -4, 3) / (2 sqrt(5/3)), of users -3 and 3 around the mean 0.
  auto const e = error_difference(truth, a, b);
  EXPECT_NEAR(e.value, 0, 1e-15);
  EXPECT_NEAR(e.error, 2 * 3 / (2 * std::sqrt(5. / 3)) / 3, 1e-15);
}

TEST(ListQuality, ByHand) {
  // Order of scores: candidates 2, 0, 3, 1; relevant: 0 and 1.
  ListQuality const q = list_quality({3, 1, 4, 2}, {true, true, false, false}, 3);
  EXPECT_DOUBLE_EQ(q.ndcg, (1 / std::log2(3.)) / (1 + 1 / std::log2(3.)));
  EXPECT_DOUBLE_EQ(q.precision, 1. / 3);
  EXPECT_DOUBLE_EQ(q.recall, 0.5);
  EXPECT_DOUBLE_EQ(list_quality({3, 1, 4, 2}, {true, true, false, false}, 10).recall, 1);
  EXPECT_DOUBLE_EQ(list_quality({9, 1, 8, 2}, {true, false, true, false}, 2).ndcg, 1);
  EXPECT_DOUBLE_EQ(list_quality({1, 1, 1}, {false, true, false}, 1).recall, 0);  // equal scores keep their order
  EXPECT_THROW(list_quality({1, 2}, {false, false}, 1), Failure);
}

}  // namespace
}  // namespace partita
