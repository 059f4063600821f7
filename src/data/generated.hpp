// Two-dimensional sets with the usual shapes and scales, from scikit-learn's make_* functions and the toy sets of Grathwohl
// et al. (FFJORD, ICLR 2019). Each is a plain struct: its keys, and the formula of one point. Point i of independent set s is a function
// of (key, s, i) alone. `noise` is the standard deviation of the Gaussian (g1, g2) where the formula has it; u1, u2, ... are uniform.
#pragma once
#include <array>

#include "core/random.hpp"
#include "data/table.hpp"

namespace partita::data {

using Point = std::array<double, 2>;

// The random numbers of one point.
class PointRandomness {
 public:
  PointRandomness(random::Key, Index set, Index item);
  double uniform(int k) const { return random::uniform_double(choice_.w[k]); }  // k < 4
  Index below(int k, Index n) const { return random::below(choice_.w[k], std::uint32_t(n)); }
  Point normals(double deviation) const;

 private:
  random::Words choice_, noise_;
};

struct TwoMoons {
  static constexpr char const* name = "two_moons";
  static constexpr char const* formula =
      "two half circles: t = pi u1, upper (cos t, sin t), lower (1 - cos t, 1/2 - sin t), x = 2 (p + noise g) - (1, 0.2)";
  Index points = 10000;
  double noise = 0.1;
  Point operator()(PointRandomness const&) const;
};
struct EightGaussians {
  static constexpr char const* name = "eight_gaussians";
  static constexpr char const* formula = "x = (4 (cos t, sin t) + noise g) / sqrt 2 with t = pi k / 4, k = 0..7";
  Index points = 10000;
  double noise = 0.5;
  Point operator()(PointRandomness const&) const;
};
struct Rings {
  static constexpr char const* name = "rings";
  static constexpr char const* formula = "four circles: x = 3 r (cos t, sin t) + noise g with r in {1/4, 1/2, 3/4, 1}, t = 2 pi u2";
  Index points = 10000;
  double noise = 0.08;
  Point operator()(PointRandomness const&) const;
};
struct Checkerboard {
  static constexpr char const* name = "checkerboard";
  static constexpr char const* formula =
      "every second square of a 4 x 4 board on [-4, 4]^2: a = 4 u1 - 2, x = 2 (a, u2 - 2 k + (floor a mod 2)), k in {0, 1}";
  Index points = 10000;
  Point operator()(PointRandomness const&) const;
};
struct Pinwheel {
  static constexpr char const* name = "pinwheel";
  static constexpr char const* formula =
      "f = (1 + 0.3 g1, 0.1 g2), x = 2 f turned clockwise by 2 pi k / arms + rate exp(f1), k = 0..arms-1 (Johnson et al. 2016)";
  Index points = 10000;
  Index arms = 5;
  double rate = 0.25;
  Point operator()(PointRandomness const&) const;
};
struct SwissRoll {
  static constexpr char const* name = "swiss_roll";
  static constexpr char const* formula = "t = (3 pi / 2) (1 + 2 u1), x = (t (cos t, sin t) + noise g) / 5";
  Index points = 10000;
  double noise = 1;
  Point operator()(PointRandomness const&) const;
};
struct TwoSpirals {
  static constexpr char const* name = "two_spirals";
  static constexpr char const* formula = "t = 3 pi sqrt u1, x = +-(-t cos t + u2 / 2, t sin t + u3 / 2) / 3 + noise g";
  Index points = 10000;
  double noise = 0.1;
  Point operator()(PointRandomness const&) const;
};

// `points` points of independent set number `set` as a table of rows (x1, x2).
template <class Set>
Table generate(Set const& options, random::Key key, Index set, Index points) {
  std::vector<float> values;
  values.reserve(2 * points);
  for (Index i = 0; i < points; i++)
    for (double v : options(PointRandomness(key, set, i))) values.push_back(float(v));
  return {Set::name, points, {2}, std::move(values)};
}

}  // namespace partita::data
