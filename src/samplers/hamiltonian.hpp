// Trajectories with an acceptance test: the scheme of hmc, and with one leapfrog of mala.
#pragma once
#include "samplers/scheme.hpp"

namespace partita {

// Leapfrog lengths of the coordinates relative to `step`; they correspond to masses of one over their squares.
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
// If a trajectory of fixed length is close to a half or a whole period of a mode, that mode hardly ever changes (Mackenzie 1989); with
// random lengths this does not happen.
template <class Lengths = EqualLengths>
struct HamiltonianScheme {
  static constexpr bool needs_energy = true, carries_gradient = true, gradient_at_state = false, keeps_velocity = false;
  enum Vector : Index { gradient_here, velocity, there, gradient_there, vectors };
  // The change of the kinetic energy is summed over kicks and coordinates, so that its rounding error does not depend on the size of the
  // energy.
  enum Scalar : Index { kinetic_change, scalars };
  enum Energy : Index { energy_here, energy_there, energies };
  using Noise = StripStreams<random::Stream::momentum, random::Stream::metropolis>;
  using S = Strip<HamiltonianScheme>;

  Real step, beta;  // leapfrog length, inverse temperature
  Index leapfrog_steps;
  Lengths lengths = {};
  bool varies = false;   // the number of leapfrog_steps is random_length(), of mean `leapfrog_steps`
  random::Key key = {};  // of the random lengths

  KOKKOS_FUNCTION Index evaluations(Index n) const { return varies ? random_length(key, n, leapfrog_steps) : leapfrog_steps; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(S const& s) const { return s.vector(there); }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(S const& s) const { return s.vector(gradient_there); }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(S const& s) const { return s.energy(energy_there); }

  // The evaluation that started the block was made at the proposal's rows, to which x was copied.
  KOKKOS_FORCEINLINE_FUNCTION void begin(S const& s, Noise&, Index) const { keep_evaluation(s, proposal(s)); }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(S const& s, Noise& noise, Turn turn, Gradient const&) const {
    auto const g = s.vector(gradient_here), v = s.vector(velocity), y = s.vector(there), x = s.x;
    Real const h = step;
    if (turn.evaluation == 0) {
      Real* const change = s.scalar(kinetic_change);
      for (Index l = 0; l < strip_lanes; l++) change[l] = 0;
      s.each_moving_row(noise.template from<random::Stream::momentum>(), turn.step, [=, this](Index i) {
        Real *gi = g[i], *vi = v[i], *yi = y[i], *xi = x[i];
        Real const along = lengths[i], drift = h * along;
        return [=, half = half_kick()](Index l, Real normal) {
          Real const kicked = kick_and_count(half, along * gi[l], normal, change[l]);
          vi[l] = kicked;
          yi[l] = std::fma(drift, kicked, xi[l]);
        };
      });
    } else {
      s.each_moving_row([=, this](Index i) {
        return [yi = y[i], vi = v[i], drift = h * lengths[i]](Index l) { yi[l] = std::fma(drift, vi[l], yi[l]); };
      });
    }
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(S const& s, Noise& noise, Turn turn, Gradient const&) const {
    auto const v = s.vector(velocity), gy = s.vector(gradient_there);
    Real const half = half_kick(), half_kicks = turn.last ? 1 : 2;
    Real* const change = s.scalar(kinetic_change);
    s.each_moving_row([=, this](Index i) {
      return [=, vi = v[i], gi = gy[i], along = half_kicks * lengths[i]](Index l) {
        vi[l] = kick_and_count(half, along * gi[l], vi[l], change[l]);
      };
    });
    if (turn.last) {
      Real const to_energy = Real(-0.5) * half;
      double const *e = s.energy(energy_here), *ey = s.energy(energy_there);
      auto const error = [=, b = beta](Index l) { return std::fma(b, Real(ey[l] - e[l]), to_energy * change[l]); };
      accept_or_reject(s, proposal(s), error, ByMetropolis{noise.template from<random::Stream::metropolis>().lane_words(turn.step)});
    }
  }

 private:
  KOKKOS_FORCEINLINE_FUNCTION Proposal proposal(S const& s) const {
    return {s.vector(gradient_here), s.vector(there), s.vector(gradient_there), s.energy(energy_here), s.energy(energy_there)};
  }
  KOKKOS_FORCEINLINE_FUNCTION Real half_kick() const { return Real(0.5) * step * beta; }
  // v' = v - half * slope. The resulting change of the kinetic energy, -half / 2 times slope (v + v'), is added to `change`.
  KOKKOS_FORCEINLINE_FUNCTION static Real kick_and_count(Real half, Real slope, Real v, Real& change) {
    Real const kicked = std::fma(-half, slope, v);
    change = std::fma(slope, v + kicked, change);
    return kicked;
  }
};

}  // namespace partita
