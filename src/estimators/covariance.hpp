// Comparison of the sample covariance with a reference.
#pragma once
#include "core/dense.hpp"
#include "estimators/sample_set.hpp"

namespace partita {

struct CovarianceTest {
  double largest_z = 0;       // over the d (d + 1) / 2 entries of <(x - m)(x - m)'> - reference, in standard errors
  Index row = 0, column = 0;  // of that entry
  double largest_error = 0;   // the largest |difference| itself
};

// The mean is known; standard errors are from the independent chains. Collective; the same bits on any number of ranks.
CovarianceTest test_covariance(SampleSet const&, std::vector<double> const& mean, Matrix const& reference);

}  // namespace partita
