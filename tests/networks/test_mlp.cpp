// The network against its definition in plain loops, and the layout of its parameters. Gradients: tests/models/test_mlp_energy.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "core/require.hpp"
#include "networks/mlp.hpp"

namespace {

using namespace partita;

double activate(Activation f, double a) {
  switch (f) {
    case Activation::silu:
      return a / (1 + std::exp(-a));
    case Activation::softplus:
      return std::log1p(std::exp(a));
    case Activation::tanh:
      return std::tanh(a);
    case Activation::gelu:
      return a * std::erfc(-a / std::sqrt(2.)) / 2;
  }
  return 0;
}

double value_by_definition(Mlp const& m, Activation f, std::vector<Real> const& theta, std::vector<double> x) {
  for (Index k = 0; k < m.layers(); k++) {
    std::vector<double> a(static_cast<std::size_t>(m.outputs(k)));
    for (Index j = 0; j < m.outputs(k); j++) {
      double sum = theta[static_cast<std::size_t>(m.bias_offset(k) + j)];
      for (Index i = 0; i < m.inputs(k); i++)
        sum +=
            static_cast<double>(theta[static_cast<std::size_t>(m.weight_offset(k) + j * m.inputs(k) + i)]) * x[static_cast<std::size_t>(i)];
      a[static_cast<std::size_t>(j)] = k + 1 < m.layers() ? activate(f, sum) : sum;
    }
    x = a;
  }
  return x[0];
}

struct Case {
  std::vector<Index> widths;
  Activation activation;
  Index tiles, lanes;
};

class MlpForward : public testing::TestWithParam<Case> {};

TEST_P(MlpForward, EqualsTheDefinition) {
  auto const [widths, activation, tiles, lanes] = GetParam();
  Mlp const m(widths, activation);
  std::vector<Real> theta(static_cast<std::size_t>(m.parameter_count()));
  for (Index k = 0; k < m.layers(); k++)
    for (Index i = m.weight_offset(k); i < m.weight_offset(k + 1); i++)
      theta[static_cast<std::size_t>(i)] = static_cast<Real>(std::sin(1.7 * static_cast<double>(i)) * m.initial_scale(k));
  Index const pitch = lanes + 48, d = m.inputs(0);
  TileStorage const x("x", static_cast<std::size_t>(tiles), static_cast<std::size_t>(d), static_cast<std::size_t>(pitch));
  TileScalarStorage const value("value", static_cast<std::size_t>(tiles), static_cast<std::size_t>(lanes));
  Vector const parameters("theta", theta.size()), tape("tape", static_cast<std::size_t>(tiles * m.tape_elements(lanes)));
  auto const host_x = Kokkos::create_mirror_view(x);
  auto const host_theta = Kokkos::create_mirror_view(parameters);
  for (Index t = 0; t < tiles; t++)
    for (Index i = 0; i < d; i++)
      for (Index l = 0; l < lanes; l++)
        host_x(t, i, l) = static_cast<Real>(2 * std::sin(0.9 * static_cast<double>((t * d + i) * lanes + l)));
  std::copy(theta.begin(), theta.end(), host_theta.data());
  Kokkos::deep_copy(x, host_x);
  Kokkos::deep_copy(parameters, host_theta);

  m.forward(parameters, Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, std::make_pair(Index{0}, lanes)), value, {tape.data()});

  auto const got = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), value);
  double const tolerance = 64 * std::numeric_limits<Real>::epsilon();  // values of order 1 from sums of a few hundred terms
  for (Index t = 0; t < tiles; t++)
    for (Index l = 0; l < lanes; l++) {
      std::vector<double> point;
      for (Index i = 0; i < d; i++) point.push_back(host_x(t, i, l));
      ASSERT_NEAR(got(t, l), value_by_definition(m, activation, theta, point), tolerance) << t << ' ' << l;
    }
}

INSTANTIATE_TEST_SUITE_P(Networks, MlpForward,
                         testing::Values(Case{{2, 128, 128, 1}, Activation::silu, 2, 256}, Case{{2, 8, 1}, Activation::softplus, 1, 16},
                                         Case{{4, 10, 7, 1}, Activation::tanh, 2, 48}, Case{{5, 9, 11, 13, 1}, Activation::gelu, 1, 64},
                                         Case{{60, 33, 1}, Activation::silu, 3, 16}, Case{{1, 1, 1}, Activation::tanh, 1, 16}));

TEST(Mlp, ParametersLieLayerAfterLayer) {
  Mlp const m({3, 5, 4, 1}, Activation::silu);
  EXPECT_EQ(m.layers(), 3);
  EXPECT_EQ(m.weight_offset(0), 0);
  EXPECT_EQ(m.bias_offset(0), 15);
  EXPECT_EQ(m.weight_offset(1), 20);
  EXPECT_EQ(m.bias_offset(1), 40);
  EXPECT_EQ(m.weight_offset(2), 44);
  EXPECT_EQ(m.bias_offset(2), 48);
  EXPECT_EQ(m.parameter_count(), 49);
}

TEST(Mlp, InitialScalesAreHeBelowRectifiersAndLeCunElsewhere) {
  Mlp const silu({8, 32, 50, 1}, Activation::silu), tanh({8, 32, 50, 1}, Activation::tanh);
  EXPECT_DOUBLE_EQ(silu.initial_scale(0), 0.5);
  EXPECT_DOUBLE_EQ(silu.initial_scale(1), 0.25);
  EXPECT_DOUBLE_EQ(silu.initial_scale(2), std::sqrt(1. / 50));
  EXPECT_DOUBLE_EQ(tanh.initial_scale(0), std::sqrt(1. / 8));
}

TEST(Mlp, RefusesWhatIsNoEnergyNetwork) {
  for (std::vector<Index> const& widths : {std::vector<Index>{}, {2}, {2, 1}, {2, 8, 2}, {0, 8, 1}, {2, -1, 1}}) {
    try {
      Mlp const m(widths, Activation::silu);
      ADD_FAILURE() << widths.size() << " widths were accepted";
    } catch (Failure const& f) {
      EXPECT_EQ(f.code(), ExitCode::usage);
      EXPECT_EQ(f.where(), FailedOn::all_ranks);
    }
  }
}

}  // namespace
