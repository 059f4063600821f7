#include "estimators/covariance.hpp"

#include <cmath>

namespace partita {

CovarianceTest test_covariance(SampleSet const& s, std::vector<double> const& mean, Matrix const& reference) {
  // NaN counts as larger than any number, so that it is reported.
  auto const larger = [](double candidate, double present) { return std::isnan(candidate) || candidate > present; };
  CovarianceTest test;
  for (Index i = 0; i < s.dimension; i++) {  // a row at a time keeps the memory at chains x d
    auto const row = expectations(s, s.dimension - i, [&](float const* x, double, double* out) {
      double const xi = x[i] - mean[static_cast<std::size_t>(i)];
      for (Index j = i; j < s.dimension; j++) out[j - i] = xi * (x[j] - mean[static_cast<std::size_t>(j)]);
    });
    for (Index j = i; j < s.dimension; j++) {
      Estimate const e = row[static_cast<std::size_t>(j - i)];
      double const difference = std::abs(e.value - reference(i, j)), z = difference / e.error;
      if (larger(difference, test.largest_error)) test.largest_error = difference;
      if (larger(z, test.largest_z)) test.largest_z = z, test.row = i, test.column = j;
    }
  }
  return test;
}

}  // namespace partita
