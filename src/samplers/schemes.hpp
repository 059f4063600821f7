// The time steps of the Langevin samplers, written once for a strip of lanes and used by fused kernels and by large models alike.
// A step makes `evaluations()` energy evaluations; before(k) and after(k) are what happens around evaluation k.
//   needs_energy       it accepts or rejects: models without an energy will not do
//   carries_gradient   begin() finds E and dE/dx of the present x in energy() and gradient() when a block of steps starts
//   point(), gradient(), energy()   where an evaluation is taken and where its results go
#pragma once
#include "core/math.hpp"
#include "samplers/strip_noise.hpp"

namespace partita {

// The coordinates that move. Loops run over these alone: what is held has no drift, no noise and no velocity, and x keeps its bits.
struct Moving {
  Index count;
  Index const* list;  // null: all coordinates
  KOKKOS_FORCEINLINE_FUNCTION Index operator[](Index k) const { return list ? list[k] : k; }
};

// What a scheme sees of a strip.
struct Strip {
  Rows<Real> x, velocity, work;  // work: the scheme's work_rows(dimension) rows
  std::int32_t *accepted, *diverging;
  Index dimension;
  Moving moving;
  std::uint64_t first_chain;

  // StripNoise::each_row over the coordinates i that move; the normals go by their places among them.
  template <class Row>
  KOKKOS_FORCEINLINE_FUNCTION void each_moving_row(StripNoise& noise, Index step, Row const& row) const {
    if (moving.list) [[unlikely]]  // apart, so that otherwise what depends on a row alone stays in registers
      noise.each_row(moving.count, step, [&row, m = moving](Index k) { return row(m[k]); });
    else noise.each_row(dimension, step, row);
  }
};

// Gradients read from rows, or computed on the fly from a separable energy at the rows of x: row(i)(l, x) is dE/dx_i of lane l, where x_i =
// x.
struct StoredGradient {
  Rows<Real> rows;
  struct Row {
    Real const* values;
    KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index l, Real) const { return values[l]; }
  };
  KOKKOS_FORCEINLINE_FUNCTION Row row(Index i) const { return {rows[i]}; }
};
template <class Energy>
struct SeparableGradient {
  Energy const& energy;
  struct Row {
    typename Energy::Coordinate coordinate;
    KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index, Real x) const { return coordinate.gradient(x); }
  };
  KOKKOS_FORCEINLINE_FUNCTION Row row(Index i) const { return {energy.coordinate(i)}; }
};

// Unadjusted Langevin: x <- x - eta dE/dx + sqrt(2 eta) xi.
struct UlaScheme {
  static constexpr bool needs_energy = false, carries_gradient = false, gradient_at_state = true, keeps_velocity = false;
  static constexpr random::Stream stream = random::Stream::langevin_noise;
  Real step_size, amplitude;

  KOKKOS_FUNCTION static Index work_rows(Index d) { return d + 1; }
  KOKKOS_FUNCTION Index evaluations() const { return 1; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(Strip const& s) const { return s.x; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(Strip const& s) const { return s.work; }
  KOKKOS_FORCEINLINE_FUNCTION Real* energy(Strip const& s) const { return s.work[s.dimension]; }

  KOKKOS_FORCEINLINE_FUNCTION void begin(Strip const&, StripNoise&, Index) const {}
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(Strip const&, StripNoise&, Index, Index, Gradient const&) const {}
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(Strip const& s, StripNoise& noise, Index, Index step, Gradient const& g) const {
    auto const x = s.x;
    Real const eta = step_size, a = amplitude;
    s.each_moving_row(noise, step, [=](Index i) {
      Real* const row = x[i];
      return [=, slope = g.row(i)](Index l, Real xi) { row[l] = std::fma(a, xi, std::fma(-eta, slope(l, row[l]), row[l])); };
    });
  }
};

// Leimkuhler and Matthews (AMRX 2013, 34): x <- x - eta dE/dx + sqrt(2 eta) (xi_n + xi_{n+1}) / 2; exact covariance on Gaussians.
struct LeimkuhlerMatthewsScheme {
  static constexpr bool needs_energy = false, carries_gradient = false, gradient_at_state = true, keeps_velocity = false;
  static constexpr random::Stream stream = random::Stream::langevin_noise;
  Real step_size, amplitude;  // amplitude = sqrt(2 eta) / 2

  KOKKOS_FUNCTION static Index work_rows(Index d) { return 2 * d + 1; }  // gradient, xi_n, energy
  KOKKOS_FUNCTION Index evaluations() const { return 1; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(Strip const& s) const { return s.x; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(Strip const& s) const { return s.work; }
  KOKKOS_FORCEINLINE_FUNCTION Real* energy(Strip const& s) const { return s.work[2 * s.dimension]; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> previous(Strip const& s) const { return {s.work[s.dimension], s.work.pitch}; }

  KOKKOS_FORCEINLINE_FUNCTION void begin(Strip const& s, StripNoise& noise, Index step) const {
    auto const earlier = previous(s);
    s.each_moving_row(noise, step, [=](Index i) { return [row = earlier[i]](Index l, Real xi) { row[l] = xi; }; });
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(Strip const&, StripNoise&, Index, Index, Gradient const&) const {}
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(Strip const& s, StripNoise& noise, Index, Index step, Gradient const& g) const {
    auto const x = s.x, earlier = previous(s);
    Real const eta = step_size, a = amplitude;
    s.each_moving_row(noise, step + 1, [=](Index i) {
      Real *const row = x[i], *const before = earlier[i];
      return [=, slope = g.row(i)](Index l, Real xi) {
        row[l] = std::fma(a, before[l] + xi, std::fma(-eta, slope(l, row[l]), row[l]));
        before[l] = xi;
      };
    });
  }
};

// BAOAB (Leimkuhler and Matthews 2013): kick h/2, drift h/2, Ornstein-Uhlenbeck h, drift h/2, kick h/2.
struct BaoabScheme {
  static constexpr bool needs_energy = false, carries_gradient = true, gradient_at_state = true, keeps_velocity = true;
  static constexpr random::Stream stream = random::Stream::langevin_noise;
  Real half_kick, half_step, decay, amplitude;  // h / (2 m), h / 2, e^{-gamma h}, sqrt((1 - decay^2) T / m)

  KOKKOS_FUNCTION static Index work_rows(Index d) { return d + 1; }
  KOKKOS_FUNCTION Index evaluations() const { return 1; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(Strip const& s) const { return s.x; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(Strip const& s) const { return s.work; }
  KOKKOS_FORCEINLINE_FUNCTION Real* energy(Strip const& s) const { return s.work[s.dimension]; }

  KOKKOS_FORCEINLINE_FUNCTION void begin(Strip const&, StripNoise&, Index) const {}
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(Strip const& s, StripNoise& noise, Index, Index step, Gradient const& g) const {
    auto const x = s.x, v = s.velocity;
    Real const kick = half_kick, drift = half_step, c = decay, a = amplitude;
    s.each_moving_row(noise, step, [=](Index i) {
      Real *const position = x[i], *const velocity = v[i];
      return [=, slope = g.row(i)](Index l, Real xi) {
        Real const kicked = std::fma(-kick, slope(l, position[l]), velocity[l]), middle = std::fma(drift, kicked, position[l]);
        Real const mixed = std::fma(a, xi, c * kicked);
        velocity[l] = mixed;
        position[l] = std::fma(drift, mixed, middle);
      };
    });
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(Strip const& s, StripNoise&, Index, Index, Gradient const& g) const {
    for (Index k = 0; k < s.moving.count; k++) {
      Index const i = s.moving[k];
      Real *const v = s.velocity[i], *const x = s.x[i];
      auto const slope = g.row(i);
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) v[l] = std::fma(-half_kick, slope(l, x[l]), v[l]);
    }
  }
};

// Hybrid Monte Carlo (Duane et al. 1987): fresh velocities, `leapfrogs` leapfrog steps of length `step`, Metropolis test.
// With one leapfrog of length sqrt(2 eta) it is the Metropolis-adjusted Langevin algorithm (Roberts and Tweedie 1996).
struct HamiltonianScheme {
  static constexpr bool needs_energy = true, carries_gradient = true, gradient_at_state = false, keeps_velocity = false;
  static constexpr random::Stream stream = random::Stream::momentum;
  Real step, beta;  // leapfrog length, inverse temperature
  Index leapfrogs;

  // Rows: gradient at x | velocity | proposal | gradient at the proposal | E(x), E(proposal), kinetic energy at the start
  KOKKOS_FUNCTION static Index work_rows(Index d) { return 4 * d + 3; }
  KOKKOS_FUNCTION Index evaluations() const { return leapfrogs; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> section(Strip const& s, Index k) const { return {s.work[k * s.dimension], s.work.pitch}; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(Strip const& s) const { return section(s, 2); }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(Strip const& s) const { return section(s, 3); }
  KOKKOS_FORCEINLINE_FUNCTION Real* energy(Strip const& s) const { return s.work[4 * s.dimension + 1]; }

  // The evaluation that started the block was made at the proposal's place, where x was copied to.
  KOKKOS_FORCEINLINE_FUNCTION void begin(Strip const& s, StripNoise&, Index) const {
    auto const g = section(s, 0), from = gradient(s);
    for (Index i = 0; i < s.dimension; i++)
      for (Index l = 0; l < strip_lanes; l++) g[i][l] = from[i][l];
    Real *e = s.work[4 * s.dimension], *evaluated = energy(s);
    for (Index l = 0; l < strip_lanes; l++) e[l] = evaluated[l];
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(Strip const& s, StripNoise& noise, Index k, Index n, Gradient const&) const {
    auto const g = section(s, 0), v = section(s, 1), y = section(s, 2), x = s.x;
    Real const h = step, half = Real(0.5) * step * beta;
    if (k == 0) {
      Real* kinetic = s.work[4 * s.dimension + 2];
      for (Index l = 0; l < strip_lanes; l++) kinetic[l] = 0;
      s.each_moving_row(noise, n, [=](Index i) {
        Real *gi = g[i], *vi = v[i], *yi = y[i], *xi = x[i];
        return [=](Index l, Real normal) {
          kinetic[l] = std::fma(Real(0.5) * normal, normal, kinetic[l]);
          Real const kicked = std::fma(-half, gi[l], normal);
          vi[l] = kicked;
          yi[l] = std::fma(h, kicked, xi[l]);
        };
      });
    } else {
      for (Index m = 0; m < s.moving.count; m++) {
        Real *yi = y[s.moving[m]], *vi = v[s.moving[m]];
#pragma GCC ivdep
        for (Index l = 0; l < strip_lanes; l++) yi[l] = std::fma(h, vi[l], yi[l]);
      }
    }
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(Strip const& s, StripNoise& noise, Index k, Index n, Gradient const&) const {
    auto const v = section(s, 1), gy = section(s, 3);
    bool const last = k + 1 == leapfrogs;
    Real const kick = (last ? Real(0.5) : Real(1)) * step * beta;
    Real kinetic[strip_lanes];
    for (Index l = 0; l < strip_lanes; l++) kinetic[l] = 0;
    for (Index m = 0; m < s.moving.count; m++) {
      Real *vi = v[s.moving[m]], *gi = gy[s.moving[m]];
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) {
        vi[l] = std::fma(-kick, gi[l], vi[l]);
        kinetic[l] = std::fma(Real(0.5) * vi[l], vi[l], kinetic[l]);
      }
    }
    if (last) metropolis(s, noise.uniform_words(random::Stream::metropolis, n), kinetic);
  }

 private:
  KOKKOS_FORCEINLINE_FUNCTION void metropolis(Strip const& s, std::uint32_t const* words, Real const* kinetic) const {
    auto const x = s.x, g = section(s, 0), y = section(s, 2), gy = section(s, 3);
    Real *e = s.work[4 * s.dimension], *ey = s.work[4 * s.dimension + 1], *kinetic_before = s.work[4 * s.dimension + 2];
    std::int32_t accept[strip_lanes];
#pragma GCC ivdep
    for (Index l = 0; l < strip_lanes; l++) {
      Real const error = std::fma(beta, ey[l] - e[l], kinetic[l] - kinetic_before[l]);
      // A NaN error compares false twice: rejected, and counted as diverging.
      accept[l] = math::log(random::uniform(words[l])) < -error ? 1 : 0;
      s.accepted[l] += accept[l];
      s.diverging[l] += error < Real(1000) ? 0 : 1;
      e[l] = accept[l] ? ey[l] : e[l];
    }
    for (Index m = 0; m < s.moving.count; m++) {
      Index const i = s.moving[m];
      Real *xi = x[i], *yi = y[i], *gi = g[i], *gyi = gy[i];
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) {
        xi[l] = accept[l] ? yi[l] : xi[l];
        gi[l] = accept[l] ? gyi[l] : gi[l];
      }
    }
  }
};

}  // namespace partita
