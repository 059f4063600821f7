#include "estimators/rounding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/rounding.hpp"

namespace partita {

std::string rounding_warning(SampleSet const& s) {
  constexpr Index most_coordinates = 64;
  constexpr double fewest_steps = 10;  // rounding steps in a standard deviation: rounding then adds 1/1200 to the variance
  Index const shown = std::min(s.dimension, most_coordinates);
  auto const numbers = [&](auto const& of) {
    return expectations(s, shown + 1, [&](float const* x, double energy, double* out) {
      for (Index i = 0; i < shown; i++) out[i] = of(i, double(x[i]));
      out[shown] = of(shown, energy);
    });
  };
  auto const mean = numbers([](Index, double x) { return x; });
  auto const variance = numbers([&](Index i, double x) { return (x - mean[std::size_t(i)].value) * (x - mean[std::size_t(i)].value); });
  for (Index i = 0; i <= shown; i++) {
    bool const energy = i == shown;
    if (energy && (!s.has_energy || sizeof(Real) > sizeof(float))) continue;
    double const at = std::abs(mean[std::size_t(i)].value), step = at * 0x1p-23, width = std::sqrt(variance[std::size_t(i)].value);
    if (!(width > 0 && width < fewest_steps * step)) continue;
    return fmt::format(
        "{} is near {:.4g} and varies by {:.2g}, where single precision has steps of {:.1g}: its averages are wrong by up to "
        "as much; {}",
        energy ? "the energy" : fmt::format("x_{}", i), mean[std::size_t(i)].value, width, step,
        energy ? "choose a constant of the energy that keeps it small, or build in double precision (cmake --preset double)"
               : "choose an origin of the coordinates nearer to the samples");
  }
  return {};
}

std::string rounding_warning(std::string const& where, std::vector<double> const& exact, SampleSet const& samples) {
  auto const d = std::size_t(samples.dimension);
  auto const both = [&](Index i, double* as_read, double* held) {
    auto const at = static_cast<std::ptrdiff_t>(std::size_t(i) * d);
    std::copy_n(exact.begin() + at, d, as_read);
    std::copy_n(samples.x.begin() + at, d, held);
  };
  auto const over_ranks = [&](std::vector<double>& values, Reduction how) { samples.ranks.all_reduce(values, how); };
  std::string const found =
      data::rounding_warning(where, data::rounding_errors({Index(exact.size() / d), samples.dimension, both}, over_ranks));
  return found.empty() ? found : found + "; subtract each entry's mean before the points are written";
}

}  // namespace partita
