#include "estimators/covariance.hpp"

#include <cmath>

#include "estimators/entry.hpp"

namespace partita {

CovarianceTest test_covariance(SampleSet const& s, std::vector<double> const& mean, Matrix const& reference) {
  // NaN counts as larger than any number, so that it is reported.
  auto const larger = [](double candidate, double present) { return std::isnan(candidate) || candidate > present; };
  CovarianceTest test;
  for (Index i = 0; i < s.dimension; i++) {  // a row at a time keeps the memory at chains x d
    auto const row = expectations(s, s.dimension - i, [&](float const* x, double, double* out) {
      double const xi = x[i] - mean[i];
      for (Index j = i; j < s.dimension; j++) out[j - i] = xi * (x[j] - mean[j]);
    });
    for (Index j = i; j < s.dimension; j++) {
      Estimate const e = row[j - i];
      double const difference = std::abs(e.value - reference(i, j)), z = difference / e.error;
      if (larger(difference, test.largest_error)) test.largest_error = difference;
      if (larger(z, test.largest_z)) test.largest_z = z, test.row = i, test.column = j;
    }
  }
  return test;
}

namespace {

struct CovarianceOptions {
  std::string reference = "sampler";
};

Metrics covariance(Subject const& s, deck::Block const& block) {
  auto const* model = s.model;
  auto const known = model ? model->gaussian() : std::vector<GaussianMoments>{};
  auto const of_sampler = block.as<CovarianceOptions>().reference == "sampler" && s.sampler
                              ? s.sampler->stationary_covariance(known[0].precision)
                              : std::nullopt;
  Matrix const reference = of_sampler ? *of_sampler : scaled(inverse(known[0].precision), s.sampler ? s.sampler->temperature() : 1);
  auto const test = test_covariance(s.samples, known[0].mean, reference);
  Metric z{
      "covariance_z_max",
      test.largest_z,
      {},
      fmt::format("largest |z| of the {} covariance entries against {}, at ({}, {})", s.samples.dimension * (s.samples.dimension + 1) / 2,
                  of_sampler ? "the sampler's stationary covariance" : "T H^-1", test.row, test.column)};
  constexpr double too_many = 7;  // standard errors; of a million entries the largest is below 6 in all but one of a hundred runs
  if (test.largest_z > too_many)
    z.warning = fmt::format(
        "an entry of the covariance is {:.3g} standard errors from its reference: the chains have not converged, or are not independent, "
        "or the sampler is biased at this step size",
        test.largest_z);
  else if (std::isnan(test.largest_z))
    z.warning = "not known: an entry has no standard error, because nothing moves or there is a single draw";
  return {z, {"covariance_error_max", test.largest_error, {}, "largest absolute difference of a covariance entry"}};
}

// Beyond it the inverse of a dense matrix takes minutes, and the d^2 / 2 averages over the draws take longer.
constexpr Index most_coordinates = 4096;

void has_known_covariance(Fit const& fit) {
  Index const most = fit.can.has<GaussianMrf>() ? GaussianMrf::dense_limit : most_coordinates;  // where the model knows its covariance
  if (fit.sizes && fit.sizes->dimension > most)
    fit.refuse("", fmt::format("estimator.type = \"covariance\" inverts a dense matrix and compares all pairs of up to {} coordinates, but "
                               "this model has {}; use \"moments\"",
                               most, fit.sizes->dimension));
}

void list_covariance(EstimatorListing const& l) {
  // The precision, and while it is inverted the identity, its copy, the factor and the inverse (dense.cpp).
  Index const d = l.model->dimension();
  l.arrays.count<double>("precision and covariance", 5, d, d);
}

}  // namespace

EstimatorEntry covariance_estimator() {
  using O = CovarianceOptions;
  return {
      deck::schema<O>(
          "covariance", "sample covariance of a gaussian model against the exact one, entry by entry",
          {deck::key(
               "reference", &O::reference,
               "what the sample covariance is compared with: sampler, the covariance of this sampler at its step size, where that has a "
               "closed form; exact, T H^-1 at the sampler's temperature T")
               .one_of({"sampler", "exact"})}),
      covariance,
      LooksAt::samples,
      {{}, {}, {"gaussian", "gaussian_mrf"}},
      false,
      has_known_covariance,
      list_covariance};
}

}  // namespace partita
