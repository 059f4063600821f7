// Flows: invertible, of known determinant, with gradients that are those of the objective they serve.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numbers>

#include "core/copy.hpp"
#include "core/dense.hpp"
#include "core/require.hpp"
#include "energies/double_well.hpp"
#include "flow.hpp"
#include "models/nice.hpp"

namespace partita::test {
namespace {

using testing::HasSubstr;

constexpr bool in_double = sizeof(Real) == 8;

struct Case {
  std::string name;
  NiceOptions options;
};
std::vector<Case> cases() {
  return {{"two_latents_for_one", {.dimension = 1, .latent_dimension = 2, .couplings = 4, .hidden = {9, 7}}},
          {"diagonal", {.dimension = 5, .couplings = 3, .hidden = {12}, .activation = "silu"}},
          {"lu", {.dimension = 6, .couplings = 4, .hidden = {8}, .masks = "random", .mask_seed = 3, .scale = "lu"}},
          {"dense", {.dimension = 4, .couplings = 2, .hidden = {8, 8}, .activation = "gelu", .scale = "dense"}},
          {"redundant_diagonal", {.dimension = 3, .latent_dimension = 7, .couplings = 3, .hidden = {8}, .scale = "lu"}},
          {"redundant_cholesky",
           {.dimension = 2,
            .latent_dimension = 5,
            .couplings = 3,
            .hidden = {8},
            .masks = "random",
            .scale = "dense",
            .covariance = "cholesky"}},
          {"no_couplings", {.dimension = 3, .couplings = 0, .scale = "dense"}}};
}
std::string name_of(testing::TestParamInfo<Case> const& info) { return info.param.name; }

class NiceFlow : public testing::TestWithParam<Case> {};

TEST_P(NiceFlow, InverseUndoesForward) {
  Nice flow = make_flow(GetParam().options);
  Index const tiles = 2, lanes = 48, latent = flow.latent_dimension();
  auto const z = points(tiles, latent, lanes), xy = points(tiles, latent, lanes), back = points(tiles, latent, lanes);
  flow.forward(view(z, lanes), view(xy, lanes));
  flow.inverse(view(xy, lanes), view(back, lanes));
  auto const a = values_on_host(z), b = values_on_host(back);
  // A few roundings of numbers of order ten through the shifts and S^-1, whose entries are of order one.
  for (Index t = 0; t < tiles; t++)
    for (Index i = 0; i < latent; i++)
      for (Index l = 0; l < lanes; l++) ASSERT_NEAR(a(t, i, l), b(t, i, l), 400 * std::numeric_limits<Real>::epsilon());
}

TEST_P(NiceFlow, DeterminantIsThatOfS) {
  Nice flow = make_flow(GetParam().options);
  Index const d = flow.latent_dimension(), lanes = lane_quantum * divide_up(2 * d, lane_quantum);
  // The Jacobian by central differences: lanes 2i and 2i + 1 move coordinate i up and down.
  double const h = in_double ? 1e-5 : 1e-2;
  auto const z = points(1, d, lanes), xy = points(1, d, lanes);
  auto const hz = Kokkos::create_mirror_view(z);
  for (Index i = 0; i < d; i++)
    for (Index l = 0; l < lanes; l++) hz(0, i, l) = Real(0.3 * std::cos(double(i)) + (l / 2 == i ? (l % 2 == 0 ? h : -h) : 0));
  copy_array(z, hz);
  flow.forward(view(z, lanes), view(xy, lanes));
  auto const hx = values_on_host(xy);
  Matrix jacobian(d, d);
  for (Index i = 0; i < d; i++)
    for (Index j = 0; j < d; j++)
      jacobian(i, j) = (double(hx(0, i, 2 * j)) - hx(0, i, 2 * j + 1)) / (double(hz(0, j, 2 * j)) - hz(0, j, 2 * j + 1));
  EXPECT_NEAR(invert(jacobian).log_absolute_determinant, flow.log_determinant(), in_double ? 1e-7 : 2e-2);
}

// J = sum of weight (U(x) - log N(y | x)) - log|det S| of a double well, and its gradient.
class Loss {
 public:
  explicit Loss(NiceOptions const& o)
      : flow_(make_flow(o)),
        target_(make_double_well({o.dimension})),
        z_(points(tiles, flow_.latent_dimension(), lanes)),
        xy_(points(tiles, flow_.latent_dimension(), lanes)),
        gradient_(points(tiles, flow_.latent_dimension(), lanes)),
        energy_("energy", tiles, round_up(lanes, pitch_quantum)),
        rest_("rest", tiles, round_up(lanes, pitch_quantum)),
        weight_("weight", tiles, round_up(lanes, pitch_quantum)) {
    auto const w = Kokkos::create_mirror_view(weight_);
    for (Index t = 0; t < tiles; t++)
      for (Index l = 0; l < lanes; l++) w(t, l) = Real((1 + 0.5 * std::sin(double(t + l))) / double(tiles * lanes));
    copy_array(weight_, w);
  }
  Nice& flow() { return flow_; }

  double value() {
    evaluate();
    auto const u = values_on_host(energy_), r = values_on_host(rest_), w = values_on_host(weight_);
    double sum = -flow_.log_determinant();
    for (Index t = 0; t < tiles; t++)
      for (Index l = 0; l < lanes; l++) sum += double(w(t, l)) * (double(u(t, l)) + r(t, l));
    return sum;
  }

  std::vector<double> gradient() {
    evaluate();
    Index const d = flow_.dimension();
    auto const g = gradient_;
    auto const w = weight_;
    Kokkos::parallel_for(
        "test::weigh", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, lanes), KOKKOS_LAMBDA(Index l) {
          for (Index t = 0; t < tiles; t++)
            for (Index i = 0; i < d; i++) g(t, i, l) *= w(t, l);
        });
    Vector const sum("sum", flow_.parameters().extent(0));
    flow_.reverse_conditional(view(xy_, lanes), view(weight_, lanes), view(gradient_, lanes), sum);
    flow_.reverse(view(gradient_, lanes), sum);
    flow_.complete(sum);
    return host(sum);
  }

 private:
  static constexpr Index tiles = 2, lanes = 32;
  void evaluate() {
    auto const x = [&](TileStorage const& s) -> Tiles {
      return Kokkos::subview(view(s, lanes), Kokkos::ALL, std::pair(Index{0}, flow_.dimension()), Kokkos::ALL);
    };
    fill_array(gradient_, Real(0));
    flow_.forward(view(z_, lanes), view(xy_, lanes));
    target_->energy_and_gradient(x(xy_), view(energy_, lanes), x(gradient_));
    flow_.conditional(view(xy_, lanes), view(rest_, lanes));
  }
  Nice flow_;
  std::unique_ptr<DifferentiableModel> target_;
  TileStorage z_, xy_, gradient_;
  TileScalarStorage energy_, rest_, weight_;
};

TEST_P(NiceFlow, GradientIsTheCentralDifference) {
  Loss loss(GetParam().options);
  auto const gradient = loss.gradient();
  double largest = 0;
  for (double g : gradient) largest = std::max(largest, std::abs(g));
  auto values = host(loss.flow().parameters());
  // Differences are wrong by h^2 J'''/6 + epsilon |J| / h.
  double const h = in_double ? 1e-5 : 1e-2, tolerance = (in_double ? 1e-7 : 2e-2) * largest;
  for (auto const& b : loss.flow().parameter_blocks()) {
    Index size = 1;
    for (Index e : b.extents) size *= e;
    for (Index k : {Index{0}, size / 3, size / 2, size - 1}) {
      auto const i = std::size_t(b.offset + k);
      double const at = values[i];
      auto const moved = [&](double to) {
        values[i] = double(Real(to));
        set(loss.flow().parameters(), values);
        loss.flow().parameters_changed();
        return loss.value();
      };
      double const up = moved(at + h), x_up = values[i], down = moved(at - h), x_down = values[i];
      moved(at);
      ASSERT_NEAR(gradient[i], (up - down) / (x_up - x_down), tolerance) << b.name << " " << k;
    }
  }
}

TEST_P(NiceFlow, ConditionalIsTheNormalDensity) {
  Nice flow = make_flow(GetParam().options);
  Index const lanes = 16, d = flow.dimension(), latent = flow.latent_dimension(), n = latent - d;
  auto const z = points(1, latent, lanes), xy = points(1, latent, lanes);
  TileScalarStorage const value("value", 1, pitch_quantum);
  flow.forward(view(z, lanes), view(xy, lanes));
  flow.conditional(view(xy, lanes), view(value, lanes));
  auto const found = values_on_host(value);
  if (n == 0) {
    for (Index l = 0; l < lanes; l++) EXPECT_EQ(found(0, l), 0);
    return;
  }
  // The network once more, on its own, then N(M, Sigma) with Sigma^-1 = A'A by a Cholesky factorisation.
  auto const theta = host(flow.parameters());
  auto const x = values_on_host(xy);
  for (Index l = 0; l < lanes; l++) {
    std::vector<double> h;
    for (Index i = 0; i < d; i++) h.push_back(x(0, i, l));
    for (Index k = 0; k <= std::ssize(GetParam().options.hidden); k++) {
      auto const w = block(flow, fmt::format("conditional/layer{}/weight", k)), b = block(flow, fmt::format("conditional/layer{}/bias", k));
      std::vector<double> next;
      for (Index i = 0; i < w.extents[0]; i++) {
        double a = theta[b.offset + i];
        for (Index j = 0; j < w.extents[1]; j++) a += theta[w.offset + i * w.extents[1] + j] * h[j];
        next.push_back(k < std::ssize(GetParam().options.hidden) ? std::tanh(a) : a);
      }
      h = next;
    }
    Matrix factor(n, n), r(n, 1);
    for (Index i = 0; i < n; i++) {
      r(i, 0) = x(0, d + i, l) - h[i];
      factor(i, i) = std::exp(h[n + i]);
      for (Index j = 0; j < i && GetParam().options.covariance == "cholesky"; j++) factor(i, j) = h[2 * n + i * (i - 1) / 2 + j];
    }
    Matrix const precision = transpose(factor) * factor;
    double const expected =
        0.5 * ((transpose(r) * (precision * r))(0, 0) - log_determinant(precision) + double(n) * std::log(2 * std::numbers::pi));
    EXPECT_NEAR(found(0, l), expected, (in_double ? 1e-12 : 1e-4) * (1 + std::abs(expected)));
  }
}

INSTANTIATE_TEST_SUITE_P(AllOptions, NiceFlow, testing::ValuesIn(cases()), name_of);

std::string refusal(NiceOptions const& o) {
  try {
    Nice const flow(o);
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    return f.what();
  }
  return "";
}

TEST(Nice, RefusesWhatHasNothingToCouple) {
  EXPECT_THAT(refusal({.dimension = 1}), HasSubstr("nothing to couple"));
  EXPECT_THAT(refusal({.dimension = 1, .latent_dimension = 1}), HasSubstr("nothing to couple"));
  EXPECT_THAT(refusal({.dimension = 3, .latent_dimension = 2}), HasSubstr("use at least 3"));
  EXPECT_EQ(refusal({.dimension = 1, .latent_dimension = 2}), "");
}

TEST(Nice, StartsAsTheIdentity) {
  for (char const* scale : {"diagonal", "lu", "dense"}) {
    Nice flow({.dimension = 2, .latent_dimension = 3, .scale = scale});
    flow.initialise([](Index i) { return std::sin(double(i)); });
    Index const lanes = 16;
    auto const z = points(1, 3, lanes), xy = points(1, 3, 2 * lanes);
    flow.forward(view(z, lanes), view(xy, lanes));
    auto const a = values_on_host(z), b = values_on_host(xy);
    for (Index i = 0; i < 3; i++)
      for (Index l = 0; l < lanes; l++) EXPECT_EQ(a(0, i, l), b(0, i, l));
    EXPECT_EQ(flow.log_determinant(), 0);
  }
}

}  // namespace
}  // namespace partita::test
