#include "models/modern_hopfield.hpp"

#include <cmath>
#include <limits>

#include "core/math.hpp"
#include "core/matrix_product.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"
#include "models/host_values.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

constexpr Index block = 1024;  // number of patterns whose scores are in memory at once

Factor factor(ConstTiles x) { return {x.data(), Index(x.stride(1)), Form::plain, Index(x.stride(0))}; }

template <class Body>
void for_strips(char const* name, ConstTiles x, Body const& body) {
  Index const lanes = extent(x, 2), strips = divide_up(lanes, strip_lanes);
  Kokkos::parallel_for(
      name, Range(0, extent(x, 0) * strips), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % strips * strip_lanes;
        body(n / strips, lane, lanes - lane < strip_lanes ? lanes - lane : strip_lanes);
      });
}

// A softmax over blocks of terms: scores become exp(score - highest), and `weight` is their sum. Where a block has a higher score than
// those before, the earlier sums, y included, are scaled down (Milakov and Gimelshein 2018).
struct OnlineSoftmax {
  Tiles scores, y;  // (tile, pattern of the block, lane), (tile, coordinate, lane)
  TileScalarStorage highest, weight;
  bool first;

  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index tile, Index lane, Index lanes) const {
    Index const rows = extent(scores, 1), d = extent(y, 1);
    Real *const top = &highest(tile, lane), *const sum = &weight(tile, lane);
    Real next[strip_lanes], shrink[strip_lanes], part[strip_lanes];
    for (Index l = 0; l < lanes; l++) next[l] = first ? -std::numeric_limits<Real>::infinity() : top[l];
    for (Index i = 0; i < rows; i++) {
      Real const* const row = &scores(tile, i, lane);
#pragma GCC ivdep
      for (Index l = 0; l < lanes; l++) next[l] = row[l] > next[l] ? row[l] : next[l];
    }
    for (Index l = 0; l < lanes; l++) {
      shrink[l] = first ? Real(0) : math::exp(top[l] - next[l]);
      top[l] = next[l];
      part[l] = 0;
    }
    for (Index i = 0; i < rows; i++) {
      Real* const row = &scores(tile, i, lane);
#pragma GCC ivdep
      for (Index l = 0; l < lanes; l++) {
        row[l] = math::exp(row[l] - next[l]);
        part[l] += row[l];
      }
    }
    for (Index l = 0; l < lanes; l++) sum[l] = first ? part[l] : std::fma(sum[l], shrink[l], part[l]);
    for (Index i = 0; i < d && !first; i++) {
      Real* const row = &y(tile, i, lane);
#pragma GCC ivdep
      for (Index l = 0; l < lanes; l++) row[l] *= shrink[l];
    }
  }
};

}  // namespace

deck::Schema modern_hopfield_schema() {
  using O = ModernHopfieldOptions;
  return deck::schema<O>(
      "modern_hopfield", "continuous Hopfield network, E = -(1/beta) log sum_i exp(beta x_i . x) + x'x / 2 over its patterns x_i",
      {deck::key("dimension", &O::dimension, "number of coordinates d").required().at_least(1),
       deck::key("patterns", &O::patterns, "number of random patterns on a sphere, set by the run's seed; 0: the training items of [data]")
           .at_least(0),
       deck::key("beta", &O::beta, "inverse temperature beta: the larger, the more sharply patterns are told apart").above(0),
       deck::key("radius", &O::radius, "radius of the sphere of random patterns; left out: sqrt(d - 1), or 1 where d = 1").above(0)});
}

Vector patterns_on_sphere(Index d, Index patterns, double radius, random::Key key) {
  Vector const out("patterns", patterns * d);
  Kokkos::parallel_for(
      "partita::patterns_on_sphere", Range(0, patterns), KOKKOS_LAMBDA(Index n) {
        Real* const x = &out(n * d);
        double square = 0;
        for (Index i = 0; i < d; i += 4) {
          auto const w = random::words(key, std::uint64_t(n), random::Stream::parameters, 0, std::uint32_t(i / 4));
          auto const p = random::normal_pair(w.w[0], w.w[1], Real()), q = random::normal_pair(w.w[2], w.w[3], Real());
          Real const normal[4] = {p.a, p.b, q.a, q.b};
          for (Index k = 0; k < 4 && i + k < d; k++) {
            x[i + k] = normal[k];
            square += double(normal[k]) * double(normal[k]);
          }
        }
        Real const scale = Real(radius / std::sqrt(square));
        for (Index i = 0; i < d; i++) x[i] *= scale;
      });
  return out;
}

std::unique_ptr<ModernHopfield> make_modern_hopfield(ModernHopfieldOptions const& o, random::Key key, Arrays arrays) {
  auto network = std::make_unique<ModernHopfield>(o.dimension, o.beta);
  double const natural = o.dimension > 1 ? std::sqrt(double(o.dimension - 1)) : 1;
  if (!arrays.makes()) network->expect(o.patterns, arrays);
  else if (o.patterns > 0) network->remember(patterns_on_sphere(o.dimension, o.patterns, o.radius > 0 ? o.radius : natural, key));
  return network;
}

void ModernHopfield::expect(Index patterns, Arrays arrays) {
  patterns_ = patterns;
  memory_ = arrays.make<Vector>("patterns", patterns * dimension_);
}

void ModernHopfield::remember(std::vector<double> const& points) {
  require_all(!points.empty() && std::ssize(points) % dimension_ == 0, ExitCode::usage,
              "a network of dimension {} was given patterns of {} numbers in all; set model.dimension to that of the data", dimension_,
              points.size());
  remember(to_device(points, "patterns"));
}

void ModernHopfield::work(Arrays arrays, Index tiles, Index lanes) const {
  require_all(patterns_ > 0, ExitCode::usage,
              "model.patterns = 0 is for the training items of [data], and the deck has none; add it, or a number of random patterns");
  DifferentiableModel::work(arrays, tiles, lanes);
  arrays.grow(scores_, "scores of patterns", tiles, std::min(block, patterns_), pitch_of(lanes));
  arrays.grow(highest_, "highest scores", tiles, pitch_of(lanes));
  arrays.grow(weight_, "sums of weights", tiles, pitch_of(lanes));
}

void ModernHopfield::update(ConstTiles x, double beta, Tiles y) const {
  reserve_for(x);
  Index const tiles = extent(x, 0), lanes = extent(x, 2), d = dimension_, pitch = Index(y.stride(1));
  auto const tile = std::pair(Index{0}, tiles), lane = std::pair(Index{0}, lanes);
  for (Index first = 0; first < patterns(); first += block) {
    Index const count = std::min(block, patterns() - first);
    Real const* const rows = memory_.data() + first * d;
    Tiles const scores = Kokkos::subview(scores_, tile, std::pair(Index{0}, count), lane);
    Index const row = Index(scores.stride(1)), matrix = Index(scores.stride(0));
    matrix_product({count, lanes, d}, {rows, d}, factor(x), {scores.data(), row, Real(beta), 0, matrix}, tiles);
    for_strips("partita::softmax", x, OnlineSoftmax{scores, y, highest_, weight_, first == 0});
    matrix_product({d, lanes, count}, {rows, d, Form::transposed}, factor(scores),
                   {y.data(), pitch, 1, first == 0 ? Real(0) : Real(1), Index(y.stride(0))}, tiles);
  }
  auto const weight = weight_;
  for_strips(
      "partita::normalise", x, KOKKOS_LAMBDA(Index t, Index from, Index count) {
        for (Index i = 0; i < d; i++) {
          Real* const row = &y(t, i, from);
          Real const* const sum = &weight(t, from);
#pragma GCC ivdep
          for (Index l = 0; l < count; l++) row[l] /= sum[l];
        }
      });
}

void ModernHopfield::energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const {
  update(x, beta_, gradient);
  Index const d = dimension_;
  Real const temperature = Real(1 / beta_);
  auto const highest = highest_, weight = weight_;
  for_strips(
      "partita::modern_hopfield", x, KOKKOS_LAMBDA(Index t, Index lane, Index count) {
        Real square[strip_lanes] = {};
        for (Index i = 0; i < d; i++) {
          Real const* const from = &x(t, i, lane);
          Real* const g = &gradient(t, i, lane);
#pragma GCC ivdep
          for (Index l = 0; l < count; l++) {
            g[l] = from[l] - g[l];
            square[l] = std::fma(from[l], from[l], square[l]);
          }
        }
        for (Index l = 0; l < count; l++)
          energy(t, lane + l) = std::fma(-temperature, highest(t, lane + l) + math::log(weight(t, lane + l)), Real(0.5) * square[l]);
      });
}

}  // namespace partita
