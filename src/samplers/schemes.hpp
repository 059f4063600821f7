// The time steps of the Langevin samplers, written once for a strip of lanes and used by fused kernels and by large models alike.
// A step makes `evaluations(step)` energy evaluations, the same in all lanes; before() and after() are what happens around each.
//   needs_energy       it accepts or rejects: models without an energy will not do
//   carries_gradient   begin() finds E and dE/dx of the present x in energy() and gradient() when a block of steps starts
//   point(), gradient(), energy()   where an evaluation is taken and where its results go; energies are doubles, for what decides is the
//                    small difference of large ones
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

// An evaluation of a step, counted from 0, and whether it is the step's last.
struct Turn {
  Index step, evaluation;
  bool last;
};

// What a scheme sees of a strip.
struct Strip {
  Rows<Real> x, velocity, work;  // work: the scheme's work_rows(dimension) rows
  Rows<double> energies;         // its energy_rows rows
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
  static constexpr Index energy_rows = 1;
  static constexpr random::Stream stream = random::Stream::langevin_noise;
  Real step_size, amplitude;

  KOKKOS_FUNCTION static Index work_rows(Index d) { return d; }
  KOKKOS_FUNCTION Index evaluations(Index) const { return 1; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(Strip const& s) const { return s.x; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(Strip const& s) const { return s.work; }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(Strip const& s) const { return s.energies[0]; }

  KOKKOS_FORCEINLINE_FUNCTION void begin(Strip const&, StripNoise&, Index) const {}
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(Strip const&, StripNoise&, Turn, Gradient const&) const {}
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(Strip const& s, StripNoise& noise, Turn turn, Gradient const& g) const {
    auto const x = s.x;
    Real const eta = step_size, a = amplitude;
    s.each_moving_row(noise, turn.step, [=](Index i) {
      Real* const row = x[i];
      return [=, slope = g.row(i)](Index l, Real xi) { row[l] = std::fma(a, xi, std::fma(-eta, slope(l, row[l]), row[l])); };
    });
  }
};

// Leimkuhler and Matthews (AMRX 2013, 34): x <- x - eta dE/dx + sqrt(2 eta) (xi_n + xi_{n+1}) / 2; exact covariance on Gaussians.
struct LeimkuhlerMatthewsScheme {
  static constexpr bool needs_energy = false, carries_gradient = false, gradient_at_state = true, keeps_velocity = false;
  static constexpr Index energy_rows = 1;
  static constexpr random::Stream stream = random::Stream::langevin_noise;
  Real step_size, amplitude;  // amplitude = sqrt(2 eta) / 2

  KOKKOS_FUNCTION static Index work_rows(Index d) { return 2 * d; }  // gradient, xi_n
  KOKKOS_FUNCTION Index evaluations(Index) const { return 1; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(Strip const& s) const { return s.x; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(Strip const& s) const { return s.work; }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(Strip const& s) const { return s.energies[0]; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> previous(Strip const& s) const { return {s.work[s.dimension], s.work.pitch}; }

  KOKKOS_FORCEINLINE_FUNCTION void begin(Strip const& s, StripNoise& noise, Index step) const {
    auto const earlier = previous(s);
    s.each_moving_row(noise, step, [=](Index i) { return [row = earlier[i]](Index l, Real xi) { row[l] = xi; }; });
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(Strip const&, StripNoise&, Turn, Gradient const&) const {}
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(Strip const& s, StripNoise& noise, Turn turn, Gradient const& g) const {
    auto const x = s.x, earlier = previous(s);
    Real const eta = step_size, a = amplitude;
    s.each_moving_row(noise, turn.step + 1, [=](Index i) {
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
  static constexpr Index energy_rows = 1;
  static constexpr random::Stream stream = random::Stream::langevin_noise;
  Real half_kick, half_step, decay, amplitude;  // h / (2 m), h / 2, e^{-gamma h}, sqrt((1 - decay^2) T / m)

  KOKKOS_FUNCTION static Index work_rows(Index d) { return d; }
  KOKKOS_FUNCTION Index evaluations(Index) const { return 1; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(Strip const& s) const { return s.x; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(Strip const& s) const { return s.work; }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(Strip const& s) const { return s.energies[0]; }

  KOKKOS_FORCEINLINE_FUNCTION void begin(Strip const&, StripNoise&, Index) const {}
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(Strip const& s, StripNoise& noise, Turn turn, Gradient const& g) const {
    auto const x = s.x, v = s.velocity;
    Real const kick = half_kick, drift = half_step, c = decay, a = amplitude;
    s.each_moving_row(noise, turn.step, [=](Index i) {
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
  KOKKOS_FORCEINLINE_FUNCTION void after(Strip const& s, StripNoise&, Turn, Gradient const& g) const {
    for (Index k = 0; k < s.moving.count; k++) {
      Index const i = s.moving[k];
      Real *const v = s.velocity[i], *const x = s.x[i];
      auto const slope = g.row(i);
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) v[l] = std::fma(-half_kick, slope(l, x[l]), v[l]);
    }
  }
};

// Leapfrog lengths of the coordinates over `step`, as with masses of one over their squares.
struct EqualLengths {
  KOKKOS_FORCEINLINE_FUNCTION Real operator[](Index) const { return 1; }
};
struct LengthsByCoordinate {
  Real const* factors;  // (dimension)
  KOKKOS_FORCEINLINE_FUNCTION Real operator[](Index i) const { return factors[i]; }
};

// Hybrid Monte Carlo (Duane et al. 1987): fresh velocities, leapfrog steps of length `step`, Metropolis test. With one leapfrog of length
// sqrt(2 eta) it is the Metropolis-adjusted Langevin algorithm (Roberts and Tweedie 1996).
//
// A trajectory of fixed length returns a mode of which it is nearly a half or a whole period to where it was, for ever (Mackenzie 1989). Of
// random length, its leapfrogs are uniform on 1 .. 2 leapfrogs - 1, keyed by the step alone: `leapfrogs` on average, all lanes alike.
template <class Lengths = EqualLengths>
struct HamiltonianScheme {
  static constexpr bool needs_energy = true, carries_gradient = true, gradient_at_state = false, keeps_velocity = false;
  static constexpr Index energy_rows = 2;  // E(x), E(proposal)
  static constexpr random::Stream stream = random::Stream::momentum;
  Real step, beta;  // leapfrog length, inverse temperature
  Index leapfrogs;
  Lengths lengths = {};
  bool random_length = false;
  random::Key key = {};  // of the random lengths

  // Rows: gradient at x | velocity | proposal | gradient at the proposal | change of the kinetic energy, summed kick by kick and coordinate
  // by coordinate, so that its digits do not depend on how large the energy is
  KOKKOS_FUNCTION static Index work_rows(Index d) { return 4 * d + 1; }
  KOKKOS_FUNCTION Index evaluations(Index n) const {
    if (!random_length) return leapfrogs;
    auto const w = random::words(key, 0, random::Stream::trajectory_length, static_cast<std::uint64_t>(n), 0);
    return 1 + static_cast<Index>(random::below(w.w[0], static_cast<std::uint32_t>(2 * leapfrogs - 1)));
  }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> section(Strip const& s, Index k) const { return {s.work[k * s.dimension], s.work.pitch}; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(Strip const& s) const { return section(s, 2); }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(Strip const& s) const { return section(s, 3); }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(Strip const& s) const { return s.energies[1]; }

  // The evaluation that started the block was made at the proposal's place, where x was copied to.
  KOKKOS_FORCEINLINE_FUNCTION void begin(Strip const& s, StripNoise&, Index) const {
    auto const g = section(s, 0), from = gradient(s);
    for (Index i = 0; i < s.dimension; i++)
      for (Index l = 0; l < strip_lanes; l++) g[i][l] = from[i][l];
    double *e = s.energies[0], *evaluated = energy(s);
    for (Index l = 0; l < strip_lanes; l++) e[l] = evaluated[l];
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(Strip const& s, StripNoise& noise, Turn turn, Gradient const&) const {
    auto const g = section(s, 0), v = section(s, 1), y = section(s, 2), x = s.x;
    Real const h = step;
    if (turn.evaluation == 0) {
      Real* const change = kinetic_change(s);
      for (Index l = 0; l < strip_lanes; l++) change[l] = 0;
      s.each_moving_row(noise, turn.step, [=, this](Index i) {
        Real *gi = g[i], *vi = v[i], *yi = y[i], *xi = x[i];
        Real const along = lengths[i], drift = h * along;
        return [=, half = half_kick()](Index l, Real normal) {
          Real const kicked = kick_and_count(half, along * gi[l], normal, change[l]);
          vi[l] = kicked;
          yi[l] = std::fma(drift, kicked, xi[l]);
        };
      });
    } else {
      for (Index m = 0; m < s.moving.count; m++) {
        Index const i = s.moving[m];
        Real *yi = y[i], *vi = v[i];
        Real const drift = h * lengths[i];
#pragma GCC ivdep
        for (Index l = 0; l < strip_lanes; l++) yi[l] = std::fma(drift, vi[l], yi[l]);
      }
    }
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(Strip const& s, StripNoise& noise, Turn turn, Gradient const&) const {
    auto const v = section(s, 1), gy = section(s, 3);
    Real const half = half_kick(), half_kicks = turn.last ? 1 : 2;
    Real* const change = kinetic_change(s);
    for (Index m = 0; m < s.moving.count; m++) {
      Index const i = s.moving[m];
      Real *vi = v[i], *gi = gy[i];
      Real const along = half_kicks * lengths[i];
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) vi[l] = kick_and_count(half, along * gi[l], vi[l], change[l]);
    }
    if (turn.last) metropolis(s, noise.uniform_words(random::Stream::metropolis, turn.step));
  }

 private:
  KOKKOS_FORCEINLINE_FUNCTION Real* kinetic_change(Strip const& s) const { return s.work[4 * s.dimension]; }
  KOKKOS_FORCEINLINE_FUNCTION Real half_kick() const { return Real(0.5) * step * beta; }
  // v' = v - half * slope. The kinetic energy that it brings is -half / 2 times slope (v + v'), which is added to `change`.
  KOKKOS_FORCEINLINE_FUNCTION static Real kick_and_count(Real half, Real slope, Real v, Real& change) {
    Real const kicked = std::fma(-half, slope, v);
    change = std::fma(slope, v + kicked, change);
    return kicked;
  }
  KOKKOS_FORCEINLINE_FUNCTION void metropolis(Strip const& s, std::uint32_t const* words) const {
    auto const x = s.x, g = section(s, 0), y = section(s, 2), gy = section(s, 3);
    double *e = s.energies[0], *ey = s.energies[1];
    Real const* kinetic = kinetic_change(s);
    Real const to_energy = Real(-0.5) * half_kick();
    std::int32_t accept[strip_lanes];
#pragma GCC ivdep
    for (Index l = 0; l < strip_lanes; l++) {
      Real const error = std::fma(beta, static_cast<Real>(ey[l] - e[l]), to_energy * kinetic[l]);
      // A NaN error compares false twice: rejected, and counted as diverging.
      accept[l] = math::log(random::uniform(words[l])) < -error ? 1 : 0;
      s.accepted[l] += accept[l];
      s.diverging[l] += error < Real(1000) ? 0 : 1;
      e[l] = math::select(accept[l], ey[l], e[l]);
    }
    for (Index m = 0; m < s.moving.count; m++) {
      Index const i = s.moving[m];
      Real *xi = x[i], *yi = y[i], *gi = g[i], *gyi = gy[i];
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) {
        xi[l] = math::select(accept[l], yi[l], xi[l]);
        gi[l] = math::select(accept[l], gyi[l], gi[l]);
      }
    }
  }
};

}  // namespace partita
