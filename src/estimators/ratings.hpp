// How well ratings are predicted, and simple predictions for comparison.
#pragma once
#include <vector>

#include "estimators/sample_set.hpp"

namespace partita {

struct Rating {
  Index user, item;
  double value;
};

// The prediction mu + b_i + b_u: mu the mean of all training ratings, then b_i = sum_u (r_ui - mu) / (n_i + lambda), then
// b_u = sum_i (r_ui - mu - b_i) / (n_u + lambda) (Koren, KDD 2008, section 2.1); 0 where there are no ratings. With lambda = 0, mu + b_i
// is the mean of the item, or of all ratings where it has none.
struct RatingOffsets {
  double mean = 0;
  std::vector<double> item, user;
  double operator()(Index u, Index i) const { return mean + item[i] + user[u]; }
};
RatingOffsets rating_offsets(std::vector<Rating> const& train, Index users, Index items, double lambda);

// Errors of predictions of these ratings, which are sorted by user. Errors for one user are correlated: the standard errors are those of a
// ratio of sums over users, by linearisation.
struct PredictionErrors {
  Estimate root_mean_square, mean_absolute;
};
PredictionErrors prediction_errors(std::vector<Rating> const& truth, std::vector<double> const& predictions);
// Root mean square error of `a` minus that of `b`, with the standard error of this difference: both predict the same ratings.
Estimate error_difference(std::vector<Rating> const& truth, std::vector<double> const& a, std::vector<double> const& b);

// A user's candidates in the order of their scores, of which the first `cutoff` are shown; equal scores keep the candidates' order.
struct ListQuality {
  double ndcg;       // sum over shown relevant ones of 1 / log2(1 + place), as a share of the largest possible (Jarvelin, Kekalainen 2002)
  double precision;  // relevant ones shown / cutoff
  double recall;     // relevant ones shown / relevant ones
};
// Failure(internal) where none is relevant.
ListQuality list_quality(std::vector<double> const& scores, std::vector<bool> const& relevant, Index cutoff);

}  // namespace partita
