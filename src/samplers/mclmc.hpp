// Microcanonical Langevin Monte Carlo (Robnik, De Luca, Silverstein, Seljak, JMLR 24, 311 (2023); Robnik, Seljak 2023), and its
// Metropolis-adjusted form (Robnik, Cohn-Gordon, Seljak 2025). A chain moves at unit speed, du/dt = -(1 - u u') dE/dx / (d - 1), dx/dt = u,
// which samples exp(-E) when the direction u is also mixed with noise. Steps are those of the minimal-norm integrator (Omelyan, Mryglod,
// Folk 2003), two evaluations each; the rotation of u and the drift of x are exact. The energy error of a step, the change of E(x) plus
// (d - 1) log of the factor by which kicks stretch the sphere of directions, is 0 for exact dynamics. Its variance measures the bias, and
// the warm-up tunes the step by it.
#pragma once
#include "samplers/position_moments.hpp"
#include "samplers/scheme_sampler.hpp"

namespace partita {

// Coordinates x_i = scale_i q_i; u is a direction of q. A step: u <- (u + refresh z) / |..|, then `substeps` of the integrator. Adjusted: u
// is drawn anew and the trajectory is accepted or rejected. Otherwise a step is undone, and u drawn anew, only if its energy error is huge.
template <bool adjusted>
struct MicrocanonicalScheme {
  static constexpr bool needs_energy = true, carries_gradient = true, gradient_at_state = false, keeps_velocity = !adjusted;
  enum Vector : Index { gradient_here, there, gradient_there, direction, vectors = direction + (adjusted ? 1 : 0) };
  enum Scalar : Index { scalars };
  enum Energy : Index { energy_here, energy_there, kinetic_change, energies };
  using Noise = StripStreams<random::Stream::momentum, random::Stream::metropolis>;
  using S = Strip<MicrocanonicalScheme>;
  Real step, beta, refresh;
  Real const* scales;      // (dimension)
  double* squared_errors;  // (tile, pitch), to which squared energy errors are added, at most that of an undone step; null: not needed
  Index substeps;          // of an adjusted trajectory, on average
  random::Key key;         // of the random number of substeps

  KOKKOS_FUNCTION Index evaluations(Index n) const { return 2 * (adjusted ? random_length(key, n, substeps) : 1); }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(S const& s) const { return s.vector(there); }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(S const& s) const { return s.vector(gradient_there); }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(S const& s) const { return s.energy(energy_there); }

  KOKKOS_FORCEINLINE_FUNCTION void begin(S const& s, Noise&, Index) const { keep_evaluation(s, proposal(s)); }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(S const& s, Noise& noise, Turn turn, Gradient const&) const {
    if (turn.evaluation == 0) {
      for (Index l = 0; l < strip_lanes; l++) s.energy(kinetic_change)[l] = 0;
      mix(s, noise.template from<random::Stream::momentum>(), turn.step);
      kick(s, s.vector(gradient_here), edge * step);
      drift(s, s.x);
    } else {
      drift(s, s.vector(there));
    }
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(S const& s, Noise& noise, Turn turn, Gradient const&) const {
    bool const middle = turn.evaluation % 2 == 0;
    kick(s, s.vector(gradient_there), (middle ? 1 - 2 * edge : turn.last ? edge : 2 * edge) * step);
    if (turn.last) end(s, noise.template from<random::Stream::metropolis>(), turn.step);
  }

 private:
  static constexpr Real edge = Real(0.19318332750378361);  // share of the first and the last kick in the minimal-norm integrator

  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> u(S const& s) const {
    if constexpr (adjusted) return s.vector(direction);
    else return s.velocity;
  }
  KOKKOS_FORCEINLINE_FUNCTION Proposal proposal(S const& s) const {
    return {s.vector(gradient_here), s.vector(there), s.vector(gradient_there), s.energy(energy_here), s.energy(energy_there)};
  }
  KOKKOS_FORCEINLINE_FUNCTION void mix(S const& s, StripNoise& normals, Index n) const {
    s.each_moving_row(normals, n, [v = u(s), a = refresh](Index i) {
      return [=, vi = v[i]](Index l, Real normal) { vi[l] = adjusted ? normal : std::fma(a, normal, vi[l]); };
    });
  }
  // Drifts from `from` to the point of evaluation, half a step along u.
  KOKKOS_FORCEINLINE_FUNCTION void drift(S const& s, Rows<Real> from) const {
    s.each_moving_row([=, v = u(s), y = s.vector(there), q = scales, half = Real(0.5) * step](Index i) {
      return [vi = v[i], yi = y[i], xi = from[i], along = half * q[i]](Index l) { yi[l] = std::fma(along, vi[l], xi[l]); };
    });
  }
  // Turns u, of any length before, against the gradient g for a time h: with e = -g / |g| and delta = h |g| / (d - 1) it is
  // (u + e (sinh delta + e.u (cosh delta - 1))) / (cosh delta + e.u sinh delta), and (d - 1) log of the denominator is the kinetic change.
  KOKKOS_FORCEINLINE_FUNCTION void kick(S const& s, Rows<Real> g, Real h) const {
    double lengths[strip_lanes], slopes[strip_lanes], along[strip_lanes];
    LaneSums squares(lengths), steepness(slopes), products(along);
    s.each_moving_row([&, v = u(s), q = scales, b = beta](Index i) {
      return [vi = v[i], gi = g[i], bq = b * q[i], uu = squares.next_row(), gg = steepness.next_row(), ug = products.next_row()](Index l) {
        Real const slope = bq * gi[l];
        uu[l] = std::fma(vi[l], vi[l], uu[l]);
        gg[l] = std::fma(slope, slope, gg[l]);
        ug[l] = std::fma(vi[l], slope, ug[l]);
      };
    });
    squares.finish(), steepness.finish(), products.finish();
    double const freedom = double(s.moving.count - 1);
    double* const change = s.energy(kinetic_change);
    Real of_u[strip_lanes], of_g[strip_lanes];
    for (Index l = 0; l < strip_lanes; l++) {
      double const length = std::sqrt(lengths[l]), slope = std::sqrt(slopes[l]);
      double const cosine = slope > 0 ? -along[l] / (length * slope) : 0;  // e.u
      double const delta = double(h) * slope / freedom, z = std::exp(-delta);
      double const denominator = 1 + cosine + (1 - cosine) * z * z;  // of the formula, times 2 z
      change[l] += freedom * (delta + std::log(denominator / 2));
      of_u[l] = Real(2 * z / (denominator * length));
      of_g[l] = slope > 0 ? Real(-(1 - z) * (1 + z + cosine * (1 - z)) / (denominator * slope)) : Real(0);
    }
    s.each_moving_row([&, v = u(s), q = scales, b = beta](Index i) {
      return [&, vi = v[i], gi = g[i], bq = b * q[i]](Index l) { vi[l] = std::fma(of_g[l], bq * gi[l], of_u[l] * vi[l]); };
    });
  }
  KOKKOS_FORCEINLINE_FUNCTION void end(S const& s, StripNoise& uniforms, Index n) const {
    double const *e = s.energy(energy_here), *ey = s.energy(energy_there), *kinetic = s.energy(kinetic_change);
    auto const error_of = [=, b = double(beta)](Index l) { return b * (ey[l] - e[l]) + kinetic[l]; };
    if constexpr (adjusted) {
      accept_or_reject(
          s, proposal(s), [=](Index l) { return Real(error_of(l)); }, ByMetropolis{uniforms.lane_words(n)});
    } else {
      if (squared_errors)
        for (Index l = 0; l < strip_lanes; l++) {
          double const most = diverging_error, error = error_of(l);
          squared_errors[s.place + l] += error < most && error > -most ? error * error : most * most;
        }
      auto const kept = accept_or_reject(
          s, proposal(s), [=](Index l) { return Real(error_of(l)); }, [](Index, Real error) { return error < diverging_error; });
      s.each_moving_row(
          [&, v = u(s)](Index i) { return [&kept, vi = v[i]](Index l) { vi[l] = math::select(kept.lane[l], vi[l], Real(0)); }; });
    }
  }
};

// Failure(usage) where only one coordinate moves, which has only two directions.
void require_directions(Index moving);

// The scales and the length, which both samplers tune by the chains' positions. Scales are the fourth roots of Var x_i / Var (dE/dx_i) (as
// in nutpie; they minimise the Fisher divergence to a normal). For independent normals these are the standard deviations for any positions,
// even two, of chains that have not converged; variances of x alone would need many converged chains.
class MicrocanonicalLength {
 public:
  // `length`: fixed, or 0: sqrt(d) until the spread of the chains is known, then `share` times that spread, sqrt(sum_i Var x_i /
  // scale_i^2).
  MicrocanonicalLength(double length, double share, bool adapt_mass) : length_(length), share_(share), adapt_mass_(adapt_mass) {}
  // For chains with more than one moving coordinate.
  void prepare(Chains const&, double temperature);
  void adapt_to(Model const&, Chains const&, Communicator const&);
  // The distance in which directions are forgotten, in units of the scales.
  double operator()() const { return length_; }
  Vector scales() const { return scales_; }
  Index moving() const { return moving_; }  // number of moving coordinates
  void describe_state(State&);
  static void list(Arrays, Index dimension, Share const&);

 private:
  double length_, share_;
  bool adapt_mass_, tuned_ = length_ == 0;
  Index moving_ = 0;
  Vector scales_;
  PositionMoments places_, slopes_;  // of x and of dE/dx
};

struct MclmcOptions {
  double step_size = 0;
  double decoherence_length = 0;
  double temperature = 1;
  double energy_error_variance = 5e-4;
  bool adapt_mass = true;
};
deck::Schema mclmc_schema();

class Mclmc : public SchemeSampler<MicrocanonicalScheme<false>, Sampler> {
 public:
  explicit Mclmc(MclmcOptions const& o)
      : SchemeSampler(o.step_size, o.temperature), options_(o), length_(o.decoherence_length, 0.7, o.adapt_mass) {}
  void prepare(Model const&, Chains&, random::Key) override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  double evaluations_per_step() const override { return 2; }
  int order_of_bias() const override { return 2; }
  std::optional<Matrix> stationary_covariance(Matrix const&) const override { return {}; }
  bool adapts() const override { return true; }
  // Adapts the step to the energy errors since the last call, scales and length to the chains' positions. Collective.
  void adapt_to(Model const&, Chains const&, Communicator const&) override;
  MicrocanonicalLength const& length() const { return length_; }
  void describe_state(State&) override;
  void list(Arrays, Model const&, Share const&) const override;

 private:
  using Errors = Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory>;
  static Errors make_errors(Arrays, Index tiles, Index pitch);
  void adapt_step(Chains const&, Communicator const&);

  MclmcOptions options_;
  MicrocanonicalLength length_;
  Errors squared_errors_;  // (tile, pitch), of the steps since the last call
  TileRange mine_;
  Index tiles_ = 0, reached_ = 0, adapted_at_ = 0, adaptations_ = 0;  // the step after the last, that of the last call, and calls
};

struct MamsOptions {
  double step_size = 0;
  double trajectory_length = 0;
  double temperature = 1;
  double target_acceptance = 0.9;  // of Robnik, Cohn-Gordon and Seljak
  bool adapt_mass = true;
};
deck::Schema mams_schema();

class Mams : public SchemeSampler<MicrocanonicalScheme<true>, AdjustedSampler> {
 public:
  explicit Mams(MamsOptions const& o)
      : SchemeSampler(o.step_size, o.temperature, o.target_acceptance), length_(o.trajectory_length, 1, o.adapt_mass) {}
  void prepare(Model const&, Chains&, random::Key) override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  double evaluations_per_step() const override { return 2 * double(substeps()); }
  bool adapts() const override { return true; }
  void adapt_to(Model const& model, Chains const& chains, Communicator const& ranks) override { length_.adapt_to(model, chains, ranks); }
  MicrocanonicalLength const& length() const { return length_; }
  Index substeps() const;  // of a trajectory, on average
  void describe_state(State&) override;
  void list(Arrays, Model const&, Share const&) const override;

 private:
  MicrocanonicalLength length_;
};

}  // namespace partita
