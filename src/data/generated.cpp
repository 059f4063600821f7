#include "data/generated.hpp"

#include <cmath>
#include <numbers>

namespace partita::data {

using std::numbers::pi;

PointRandomness::PointRandomness(random::Key key, Index set, Index item)
    : choice_(random::words(key, std::uint64_t(item), random::Stream::generated_data, std::uint64_t(set), 0)),
      noise_(random::words(key, std::uint64_t(item), random::Stream::generated_data, std::uint64_t(set), 1)) {}

Point PointRandomness::normals(double deviation) const {
  auto const g = random::normal_pair(noise_.w[0], noise_.w[1], double{});
  return {deviation * g.a, deviation * g.b};
}

Point TwoMoons::operator()(PointRandomness const& random) const {
  double const t = pi * random.uniform(1);
  bool const upper = random.below(0, 2) == 0;
  auto const [g1, g2] = random.normals(noise);
  double const x = upper ? std::cos(t) : 1 - std::cos(t), y = upper ? std::sin(t) : 0.5 - std::sin(t);
  return {2 * (x + g1) - 1, 2 * (y + g2) - 0.2};
}

Point EightGaussians::operator()(PointRandomness const& random) const {
  double const t = pi / 4 * double(random.below(0, 8));
  auto const [g1, g2] = random.normals(noise);
  return {(4 * std::cos(t) + g1) / std::numbers::sqrt2, (4 * std::sin(t) + g2) / std::numbers::sqrt2};
}

Point Rings::operator()(PointRandomness const& random) const {
  double const radius = 0.75 * double(1 + random.below(0, 4)), t = 2 * pi * random.uniform(1);
  auto const [g1, g2] = random.normals(noise);
  return {radius * std::cos(t) + g1, radius * std::sin(t) + g2};
}

Point Checkerboard::operator()(PointRandomness const& random) const {
  double const a = 4 * random.uniform(0) - 2;
  bool const odd_column = int(std::floor(a)) % 2 != 0;
  return {2 * a, 2 * (random.uniform(1) - 2 * double(random.below(2, 2)) + (odd_column ? 1 : 0))};
}

Point Pinwheel::operator()(PointRandomness const& random) const {
  auto const [g1, g2] = random.normals(1);
  double const radial = 1 + 0.3 * g1, tangential = 0.1 * g2;
  double const angle = 2 * pi * double(random.below(0, arms)) / double(arms) + rate * std::exp(radial);
  return {2 * (radial * std::cos(angle) + tangential * std::sin(angle)), 2 * (tangential * std::cos(angle) - radial * std::sin(angle))};
}

Point SwissRoll::operator()(PointRandomness const& random) const {
  double const t = 1.5 * pi * (1 + 2 * random.uniform(0));
  auto const [g1, g2] = random.normals(noise);
  return {(t * std::cos(t) + g1) / 5, (t * std::sin(t) + g2) / 5};
}

Point TwoSpirals::operator()(PointRandomness const& random) const {
  double const t = 3 * pi * std::sqrt(random.uniform(0)), sign = random.below(3, 2) == 0 ? 1 : -1;
  auto const [g1, g2] = random.normals(noise);
  return {sign * (-t * std::cos(t) + random.uniform(1) / 2) / 3 + g1, sign * (t * std::sin(t) + random.uniform(2) / 2) / 3 + g2};
}

}  // namespace partita::data
