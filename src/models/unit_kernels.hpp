// Kernels over units: for each lane of a strip, four neighbouring units draw from one call of the random number generator.
#pragma once
#include "core/strip_words.hpp"
#include "models/gibbs_model.hpp"

namespace partita {

// `value` where keep = 1 (the unit is held), `drawn` where keep = 0. Computed without a condition, since a branch would stop vectorisation
// over lanes.
KOKKOS_FORCEINLINE_FUNCTION Real kept_or_drawn(Real keep, Real value, Real drawn) { return std::fma(keep, value, (1 - keep) * drawn); }

// Calls draw(tile, first, count, lanes, words) for each group of up to four units first .. first + count - 1 and each strip of lanes
// [lanes.begin, lanes.end), with their random words. The draws are numbered from first_unit, a multiple of 4, so that several calls in one
// sweep use different random numbers.
struct LaneRange {
  Index begin, end;
};
template <class Draw>
void draw_by_fours(char const* name, Index tiles, Index units, Index lanes, Sweep const& sweep, Index first_unit, Draw const& draw) {
  Index const groups = divide_up(units, 4), strips = divide_up(lanes, strip_lanes);
  auto const keys = random::round_keys(sweep.key);
  auto const chains = sweep.chains;
  auto const stream = sweep.stream;
  auto const step = std::uint64_t(sweep.step);
  auto const first_draw = std::uint32_t(first_unit / 4);
  Kokkos::parallel_for(
      name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles * groups * strips), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % strips * strip_lanes, group = n / strips % groups, tile = n / strips / groups;
        random::StripWords words;
        random::fill(words, keys, chains.of(tile, lane), stream, step, first_draw + std::uint32_t(group));
        draw(tile, 4 * group, units - 4 * group < 4 ? units - 4 * group : 4,
             LaneRange{lane, lane + strip_lanes < lanes ? lane + strip_lanes : lanes}, words);
      });
}

// row(tile, i) returns a function lane(l, word) for each unit i of `units`, which is called with a random word for each of the lanes.
template <class Row>
void draw_units(char const* name, Index tiles, Index units, Index lanes, Sweep const& sweep, Index first_unit, Row const& row) {
  draw_by_fours(
      name, tiles, units, lanes, sweep, first_unit,
      KOKKOS_LAMBDA(Index tile, Index first, Index count, LaneRange range, random::StripWords const& words) {
        for (Index k = 0; k < count; k++) {
          auto const draw = row(tile, first + k);
          std::uint32_t const* w = words.w[k];
#pragma GCC ivdep
          for (Index l = range.begin; l < range.end; l++) draw(l, w[l - range.begin]);
        }
      });
}

// The same with a standard normal for each of the lanes.
template <class Row>
void draw_normal_units(char const* name, Index tiles, Index units, Index lanes, Sweep const& sweep, Index first_unit, Row const& row) {
  draw_by_fours(
      name, tiles, units, lanes, sweep, first_unit,
      KOKKOS_LAMBDA(Index tile, Index first, Index count, LaneRange range, random::StripWords const& words) {
        for (Index k = 0; k < count; k += 2) {
          std::uint32_t const *a = words.w[k], *b = words.w[k + 1];
          auto const even = row(tile, first + k);
          if (k + 1 < count) {
            auto const odd = row(tile, first + k + 1);
#pragma GCC ivdep
            for (Index l = range.begin; l < range.end; l++) {
              auto const normal = random::normal_pair(a[l - range.begin], b[l - range.begin], Real());
              even(l, normal.a);
              odd(l, normal.b);
            }
          } else {
#pragma GCC ivdep
            for (Index l = range.begin; l < range.end; l++) even(l, random::normal_pair(a[l - range.begin], b[l - range.begin], Real()).a);
          }
        }
      });
}

// energy(tile, lane) += sum_i term(i, x_i of the lane): row(i) returns term(x) for each row of x. Eight terms at a time are added as Reals,
// and their sums in double.
template <class Row>
void add_over_rows(char const* name, ConstTiles x, LogWeights energy, Row const& row) {
  Index const rows = extent(x, 1), lanes = extent(x, 2), strips = divide_up(lanes, strip_lanes);
  Kokkos::parallel_for(
      name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(x, 0) * strips), KOKKOS_LAMBDA(Index n) {
        Index const tile = n / strips, lane = n % strips * strip_lanes;
        Index const count = lanes - lane < strip_lanes ? lanes - lane : strip_lanes;
        double total[strip_lanes] = {};
        for (Index first = 0; first < rows; first += 8) {
          Real some[strip_lanes] = {};
          for (Index i = first; i < rows && i < first + 8; i++) {
            Real const* const from = &x(tile, i, lane);
            auto const term = row(i);
#pragma GCC ivdep
            for (Index l = 0; l < count; l++) some[l] += term(from[l]);
          }
          for (Index l = 0; l < count; l++) total[l] += double(some[l]);
        }
        for (Index l = 0; l < count; l++) energy(tile, lane + l) += total[l];
      });
}

// sum(i) += sum of term(l) over the lanes of all tiles, where row(tile, i) returns term. Lanes are whole vectors.
template <class Row>
void add_row_sums(char const* name, Index tiles, Index rows, Index lanes, Vector sum, Row const& row) {
  Kokkos::parallel_for(
      name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, rows), KOKKOS_LAMBDA(Index i) {
        for (Index t = 0; t < tiles; t++) {
          auto const term = row(t, i);
          Real partial[lane_quantum] = {};
          for (Index l = 0; l < lanes; l += lane_quantum)
            for (Index k = 0; k < lane_quantum; k++) partial[k] += term(l + k);
          Real total = 0;
          for (Real p : partial) total += p;
          sum(i) += total;
        }
      });
}

}  // namespace partita
