// Building blocks of schemes, the time steps of samplers. A scheme is written once for a strip of lanes, in the header of its sampler,
// and used both by the fused kernels of analytic energies and by large models. A step makes `evaluations(step)` evaluations of E and
// dE/dx, the same number in all lanes; before(), where a scheme has it, and after() are called around each. A scheme declares
//   needs_energy       it accepts or rejects: models without an energy cannot be used
//   carries_gradient   E and dE/dx of the present x are in energy() and gradient() when a block of steps starts: for begin(), which a
//                    scheme may have
//   gradient_at_state  it evaluates at x itself, not at a proposal
//   keeps_velocity     its chains have velocities
//   Vector, Scalar, Energy   enumerations that name its work rows; their last entries vectors, scalars and energies are their numbers. A
//                    vector has a row for each coordinate, a scalar and an energy has one; energies are doubles, since small differences
//                    of large ones decide
//   Noise              the streams of random numbers that it draws from
//   point(), gradient(), energy()   rows of the point of evaluation and of its results
#pragma once
#include "core/lane_sums.hpp"
#include "core/math.hpp"
#include "samplers/strip_noise.hpp"

namespace partita {

// The coordinates that move. Loops run over these alone: a held coordinate has no drift, noise or velocity, and its x does not change.
struct Moving {
  Index count;
  Index const* list;  // null: all coordinates
  KOKKOS_FORCEINLINE_FUNCTION Index operator[](Index k) const { return list ? list[k] : k; }
};

// Number of an evaluation within a step, from 0, and whether it is the step's last.
struct Turn {
  Index step, evaluation;
  bool last;
};

// Which of its functions a scheme has.
template <class Scheme>
inline constexpr bool begins_blocks = requires {
  &Scheme::begin;
};
template <class Scheme>
inline constexpr bool moves_before = requires {
  &Scheme::template before<struct AnyGradient>;
};

// Number of rows of work memory that a scheme needs in this dimension.
template <class Scheme>
KOKKOS_FUNCTION constexpr Index work_rows(Index dimension) {
  return Scheme::vectors * dimension + Scheme::scalars;
}

// The data of a strip that a scheme works on.
template <class Scheme>
struct Strip {
  Rows<Real> x, velocity, work;
  Rows<double> energies;
  std::int32_t *accepted, *diverging;
  Index place;  // of its first lane in storage (tile, pitch)
  Index dimension;
  Moving moving;
  std::uint64_t first_chain;

  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> vector(typename Scheme::Vector k) const { return {work[k * dimension], work.pitch}; }
  KOKKOS_FORCEINLINE_FUNCTION Real* scalar(typename Scheme::Scalar k) const { return work[Scheme::vectors * dimension + k]; }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(typename Scheme::Energy k) const { return energies[k]; }

  // StripNoise::each_row over the coordinates i that move; coordinate number k of these gets normal number k.
  template <class Row>
  KOKKOS_FORCEINLINE_FUNCTION void each_moving_row(StripNoise& noise, Index step, Row const& row) const {
    if (moving.list) [[unlikely]]  // a separate loop, so that in the other one values that depend on the row alone stay in registers
      noise.each_row(moving.count, step, [&row, m = moving](Index k) { return row(m[k]); });
    else noise.each_row(dimension, step, row);
  }
  // StripNoise::each_row_of_words likewise.
  template <class Row>
  KOKKOS_FORCEINLINE_FUNCTION void each_moving_row_of_words(StripNoise& noise, Index step, Row const& row) const {
    noise.each_row_of_words(moving.count, step, [&row, m = moving](Index k) { return row(m[k]); });
  }
  // The same without noise: row(i) returns a function lane(l).
  template <class Row>
  KOKKOS_FORCEINLINE_FUNCTION void each_moving_row(Row const& row) const {
    for (Index k = 0; k < moving.count; k++) {
      auto const lane = row(moving[k]);
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) lane(l);
    }
  }
  // Copies `from` to `to` in all rows and lanes.
  KOKKOS_FORCEINLINE_FUNCTION void copy(Rows<Real> from, Rows<Real> to) const {
    for (Index i = 0; i < dimension; i++)
      for (Index l = 0; l < strip_lanes; l++) to[i][l] = from[i][l];
  }
};

// Gradients that are read from rows, or computed on the fly from a separable energy: row(i)(l, x) is dE/dx_i of lane l at x_i = x.
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

// Number of steps of a trajectory of random length, uniform on 1 .. 2 mean - 1, keyed by the step alone: the same in all lanes.
KOKKOS_INLINE_FUNCTION Index random_length(random::Key key, Index step, Index mean) {
  auto const w = random::words(key, 0, random::Stream::trajectory_length, std::uint64_t(step), 0);
  return 1 + Index(random::below(w.w[0], std::uint32_t(2 * mean - 1)));
}

// Metropolis test with a random word: accepts with probability min(1, exp(-error)); a NaN is never accepted.
KOKKOS_FORCEINLINE_FUNCTION bool is_accepted(std::uint32_t word, Real error) { return math::log(random::uniform(word)) < -error; }
// The same for each lane.
struct ByMetropolis {
  std::uint32_t const* words;
  KOKKOS_FORCEINLINE_FUNCTION bool operator()(Index l, Real error) const { return is_accepted(words[l], error); }
};

// The present point (here) and the proposed one (there) of a scheme with an acceptance test, each with its gradient and energy.
struct Proposal {
  Rows<Real> gradient_here, there, gradient_there;
  double *energy_here, *energy_there;
};

// Copies the block's first evaluation, which was made in the proposal's rows but at x, to the rows of x.
template <class Scheme>
KOKKOS_FORCEINLINE_FUNCTION void keep_evaluation(Strip<Scheme> const& s, Proposal const& p) {
  s.copy(p.gradient_there, p.gradient_here);
  for (Index l = 0; l < strip_lanes; l++) p.energy_here[l] = p.energy_there[l];
}

// 1 for the lanes that accepted their proposal, 0 for the others.
struct Accepted {
  std::int32_t lane[strip_lanes];
};
// From this error on a proposal counts as diverging.
constexpr Real diverging_error = 1000;

// The acceptance step of all such schemes: lane by lane the proposal replaces x, with its gradient and energy, or is dropped.
// error_of(l) is -log of lane l's acceptance ratio; takes(l, error) decides, for example ByMetropolis. A huge error or NaN
// is counted as diverging.
template <class Scheme, class Error, class Takes>
KOKKOS_FORCEINLINE_FUNCTION Accepted accept_or_reject(Strip<Scheme> const& s, Proposal const& p, Error const& error_of,
                                                      Takes const& takes) {
  Accepted accepted;
  auto& accept = accepted.lane;
  double *e = p.energy_here, *ey = p.energy_there;
#pragma GCC ivdep
  for (Index l = 0; l < strip_lanes; l++) {
    Real const error = error_of(l);
    accept[l] = takes(l, error) ? 1 : 0;
    s.accepted[l] += accept[l];
    s.diverging[l] += error < diverging_error ? 0 : 1;
    e[l] = math::select(accept[l], ey[l], e[l]);
  }
  s.each_moving_row([&](Index i) {
    return [&accept, x = s.x[i], y = p.there[i], g = p.gradient_here[i], gy = p.gradient_there[i]](Index l) {
      x[l] = math::select(accept[l], y[l], x[l]);
      g[l] = math::select(accept[l], gy[l], g[l]);
    };
  });
  return accepted;
}

}  // namespace partita
