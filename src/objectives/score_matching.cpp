#include "objectives/score_matching.hpp"

#include <cmath>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "core/tile_reduction.hpp"
#include "samplers/strip_noise.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

// Wide enough for matrix products, narrow enough for the passes of a jet to stay in a core's L2 cache.
constexpr Index default_width = 128;

Index width(ScoreMatchingOptions const& o, Index batch) {
  return o.tile_width > 0 ? o.tile_width : std::min(default_width, round_up(batch, lane_quantum));
}

// Computes the weights c1, c2 of both derivatives along v; loss += share (1/2 (v.g)^2 - v' (dg/dx) v).
void weigh_sliced(ConstTileScalars first, ConstTileScalars second, Index real, Real share, Real scale, TileScalars c1, TileScalars c2,
                  TileScalars loss) {
  Kokkos::parallel_for(
      "partita::sliced_weights", Range(0, extent(loss, 1)), KOKKOS_LAMBDA(Index l) {
        Real const counts = l < real ? share : Real(0);
        c1(0, l) = counts * scale * first(0, l);
        c2(0, l) = -counts * scale;
        loss(0, l) += counts * (Real(0.5) * first(0, l) * first(0, l) - second(0, l));
      });
}

// weight = -share scale on real lanes, loss -= share second there.
void weigh_curvature(ConstTileScalars second, Index real, Real share, Real scale, TileScalars weight, TileScalars loss) {
  Kokkos::parallel_for(
      "partita::curvature_weights", Range(0, extent(loss, 1)), KOKKOS_LAMBDA(Index l) {
        Real const counts = l < real ? share : Real(0);
        weight(0, l) = -counts * scale;
        loss(0, l) -= counts * second(0, l);
      });
}

// loss += 1/2 |g|^2 on real lanes; g <- scale g there, 0 elsewhere.
void take_square(Tiles g, Index real, Real scale, TileScalars loss) {
  Index const d = extent(g, 1);
  Kokkos::parallel_for(
      "partita::square_of_score", Range(0, extent(g, 2)), KOKKOS_LAMBDA(Index l) {
        Real const counts = l < real ? Real(1) : Real(0);
        Real square = 0;
        for (Index i = 0; i < d; i++) {
          square = std::fma(g(0, i, l), g(0, i, l), square);
          g(0, i, l) *= counts * scale;
        }
        loss(0, l) += Real(0.5) * counts * square;
      });
}

// x += deviation z.
void add_scaled(Real deviation, ConstTiles z, Tiles x) {
  Index const d = extent(x, 1), lanes = extent(x, 2);
  Kokkos::parallel_for(
      "partita::data_noise", Range(0, d * lanes),
      KOKKOS_LAMBDA(Index n) { x(0, n / lanes, n % lanes) += deviation * z(0, n / lanes, n % lanes); });
}

// Turns normals into random signs.
void take_signs(TileStorage const& v) {
  Kokkos::parallel_for(
      "partita::rademacher", Range(0, std::ssize(v)), KOKKOS_LAMBDA(Index n) { v.data()[n] = std::copysign(Real(1), v.data()[n]); });
}

// Turns normals into points on the sphere of radius sqrt(dimension).
void normalise(TileStorage const& v) {
  Index const d = extent(v, 1);
  Kokkos::parallel_for(
      "partita::sphere", Range(0, extent(v, 2)), KOKKOS_LAMBDA(Index l) {
        Real square = 0;
        for (Index i = 0; i < d; i++) square = std::fma(v(0, i, l), v(0, i, l), square);
        Real const factor = std::sqrt(Real(d) / square);
        for (Index i = 0; i < d; i++) v(0, i, l) *= factor;
      });
}

}  // namespace

std::vector<deck::Key> score_matching_keys() {
  return {deck::key("tile_width", &ScoreMatchingOptions::tile_width,
                    "items that are computed together, a tile; MPI ranks share the tiles; 0: 128, or the batch where that is smaller")
              .at_least(0)
              .multiple_of(lane_quantum)};
}

// Keys of the objectives that do not add noise by their definition.
namespace {
std::vector<deck::Key> noiseless_keys() {
  auto keys = score_matching_keys();
  keys.push_back(
      deck::key("data_noise", &ScoreMatchingOptions::data_noise,
                "standard deviation of Gaussian noise added to the data; J is wrong for densities with edges, which noise smooths")
          .at_least(0));
  return keys;
}
}  // namespace

void ScoreMatching::require_derivatives(TrainableScore const& model, int order) {
  require_all(model.highest_jet_order() >= order, ExitCode::usage,
              "objective.type: score matching needs directional derivatives of order {} of the model's score, and this model has them "
              "up to order {}; use a model with smooth activations, mlp or score_mlp",
              order, model.highest_jet_order());
}

void ScoreMatching::require_divergence(TrainableScore const& model) {
  require_derivatives(model, 2);
  require_all(model.noise_levels().empty(), ExitCode::usage,
              "objective.type: a model conditioned on noise (model.noise_levels = {}) learns by denoising; use denoising_score_matching "
              "without sigma, or noise_levels = 0",
              model.noise_levels().size());
}

ScoreMatching::ScoreMatching(TrainableScore& model, data::Batches const& batches, Communicator communicator, Summation summation,
                             random::Key key, ScoreMatchingOptions options, Derivatives derivatives, Index groups)
    : model_(model),
      batches_(batches),
      key_(key),
      tiling_(tiling(options, batches.batch())),
      memory_({}, model, {tiling_, communicator.rank(), communicator.ranks()}, derivatives, groups),
      communicator_(communicator),
      data_noise_(Real(options.data_noise)),
      groups_(groups),
      mine_(share_of_tiles(tiling_.tiles(), communicator.rank(), communicator.ranks())),
      sums_(communicator, summation, tiling_.tiles(), mine_, parameter_count(model)),
      losses_("losses", mine_.count, 1 + 2 * groups) {}

Tiling ScoreMatching::tiling(ScoreMatchingOptions const& o, Index batch) { return {batch, width(o, batch)}; }

ScoreMatching::Memory::Memory(Arrays arrays, TrainableScore const& model, Share const& share, Derivatives derivatives, Index groups)
    : data(arrays.make<TileStorage>("minibatch", share.mine().count, model.dimension(), share.tiling.pitch())),
      direction(arrays.make<TileStorage>("score direction", 1, model.dimension(), share.tiling.pitch())) {
  for (TileScalarStorage* s : {&loss, &first, &second, &c1, &c2})
    *s = arrays.make<TileScalarStorage>("score weights", 1, share.tiling.pitch());
  if (groups > 0) group = arrays.make<TileScalarStorage>("groups of items", 1, share.tiling.pitch());
  model.jet_work(arrays, 1, share.tiling.width, derivatives.jet_order, derivatives.gradients);
}

void ScoreMatching::list(Arrays arrays, TrainableScore const& model, Share const& share, Summation summation, Derivatives derivatives,
                         Index groups) {
  Memory(arrays, model, share, derivatives, groups);
  TileSums::list(arrays, summation, share.tiling.tiles(), share.rank, share.ranks, parameter_count(model));
}

void ScoreMatching::describe_state(State& state) {
  state.add_by_tile("objective/losses", losses_, mine_, tiling_.tiles());
  state.add_scalar("objective/updates_since_report", updates_since_report_);
}

Tiles ScoreMatching::lanes_of(TileStorage const& s, Points const& p) const {
  return Kokkos::subview(s, Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, p.lanes()));
}
TileScalars ScoreMatching::lanes_of(TileScalarStorage const& s, Points const& p) const {
  return Kokkos::subview(s, Kokkos::ALL, std::pair(Index{0}, p.lanes()));
}

void ScoreMatching::draw_normals(TileStorage const& z, random::Stream stream, Index step, Index first) const {
  Index const d = extent(z, 1), pitch = extent(z, 2);
  auto const keys = random::round_keys(key_);
  Kokkos::parallel_for(
      "partita::score_normals", Range(0, pitch / strip_lanes), KOKKOS_LAMBDA(Index strip) {
        StripNoise noise(keys, stream, std::uint64_t(first + strip * strip_lanes));
        Rows<Real> const rows{&z(0, 0, strip * strip_lanes), pitch};
        noise.each(d, step, [=](Index i, Index l, Real xi) { rows[i][l] = xi; });
      });
}

void ScoreMatching::add_sliced(Points const& p, ConstTiles v, double share, Vector sum) {
  TileScalars const first = lanes_of(memory_.first, p), second = lanes_of(memory_.second, p), c1 = lanes_of(memory_.c1, p),
                    c2 = lanes_of(memory_.c2, p);
  model_.directional_forward(p.x, v, 2, first, second);
  weigh_sliced(first, second, p.real, Real(share), Real(scale()), c1, c2, lanes_of(memory_.loss, p));
  model_.directional_reverse(p.x, c1, c2, sum);
}

void ScoreMatching::add_data_noise(Points const& p) {
  if (data_noise_ == 0) return;
  draw_normals(memory_.direction, random::Stream::data_noise, p.update, p.first);
  add_scaled(data_noise_, lanes_of(memory_.direction, p), p.x);
}

void ScoreMatching::count_losses(Points const& p, Index tile) const {
  auto const loss = memory_.loss, group = memory_.group;
  auto const losses = losses_;
  Index const real = p.real;
  sum_over_lanes<TwoSums>(
      "partita::losses", 1 + groups_, p.lanes(),
      KOKKOS_LAMBDA(Index column, Index l) {  // of all items, then of each group
        bool const counts = l < real && (column == 0 || group(0, l) == Real(column - 1));
        return counts ? TwoSums{double(loss(0, l)), 1} : TwoSums{};
      },
      KOKKOS_LAMBDA(Index column, TwoSums const& s) {
        losses(tile, column == 0 ? 0 : 2 * column - 1) += s.first;
        if (column > 0) losses(tile, 2 * column) += s.second;
      });
}

Vector ScoreMatching::gradient(Index update, Timers& timers) {
  {
    Timers::Scope const scope(timers, "data");
    batches_.fill(memory_.data, tiling_, mine_, update);
  }
  {
    Timers::Scope const scope(timers, "parameter gradient");
    sums_.start();
    for (Index tile = 0; tile < mine_.count; tile++) {
      Index const global = mine_.first + tile;
      Tiles const x = Kokkos::subview(memory_.data, std::pair(tile, tile + 1), Kokkos::ALL, std::pair(Index{0}, tiling_.lanes(global)));
      Points const points{x, update, tiling_.first_chain(global), tiling_.chains_in(global)};
      add_data_noise(points);
      fill_array(memory_.loss, Real(0));
      add(points, sums_.partial(global));
      count_losses(points, tile);
    }
  }
  updates_since_report_++;
  Timers::Scope const scope(timers, "reduction");
  return sums_.finish();
}

std::vector<Series> ScoreMatching::series() const {
  std::vector<Series> all{{"loss", "J, mean over the items of the updates since the last row; bounded below, not by zero", true}};
  for (Index g = 0; g < groups_; g++) all.push_back({fmt::format("loss_{}", g), group_name(g)});
  return all;
}

std::vector<double> ScoreMatching::report(Index) {
  auto const rows = values_on_host(losses_);
  std::vector<double> const mine(rows.data(), rows.data() + rows.size());
  auto const sums = sum_over_tiles(communicator_, mine_, tiling_.tiles(), mine, 1 + 2 * groups_);
  std::vector<double> out{sums[0] * scale() / double(std::max<Index>(updates_since_report_, 1))};
  for (std::size_t k = 1; k < sums.size(); k += 2) out.push_back(sums[k] / sums[k + 1]);
  fill_array(losses_, 0.);
  updates_since_report_ = 0;
  return out;
}

deck::Schema exact_score_matching_schema() {
  return {"exact_score_matching", "J = E[1/2 |s|^2 + tr ds/dx], s the model's score: as many jets of order 2 as dimensions, no sampler",
          noiseless_keys()};
}

ExactScoreMatching::ExactScoreMatching(TrainableScore& model, data::Batches const& batches, Communicator ranks, Summation summation,
                                       random::Key key, ScoreMatchingOptions options)
    : ScoreMatching(model, batches, ranks, summation, key, options, {2, false}) {
  require_fit(model);
}

void ExactScoreMatching::list(Arrays arrays, TrainableScore const& model, Share const& share, Summation summation) {
  ScoreMatching::list(arrays, model, share, summation, {2, false});
}

void ExactScoreMatching::add(Points const& p, Vector sum) {
  Tiles const v = lanes_of(memory_.direction, p);
  for (Index i = 0; i < model_.dimension(); i++) {
    fill_array(memory_.direction, Real(0));
    fill_array(Kokkos::subview(memory_.direction, 0, i, Kokkos::ALL), Real(1));
    add_sliced(p, v, 1, sum);
  }
}

deck::Schema sliced_score_matching_schema() {
  using O = SlicedOptions;
  auto schema = deck::schema<O>(
      "sliced_score_matching", "J = E_v E[1/2 (v.s)^2 + v' (ds/dx) v] over random directions v, s the model's score; no sampler",
      {deck::key("directions", &O::directions,
                 "distribution of the directions v, with E vv' = I; sphere: uniform on the sphere of radius sqrt(dimension)")
           .one_of({"gaussian", "rademacher", "sphere"}),
       deck::key("projections", &O::projections, "number M of directions for each item in each update").at_least(1),
       deck::key("variance_reduced", &O::variance_reduced,
                 "whether the first term is its mean over v, 1/2 |s|^2; costs one jet of order 1 more")});
  for (deck::Key& k : noiseless_keys()) schema.keys.push_back(std::move(k));
  return schema;
}

SlicedScoreMatching::SlicedScoreMatching(TrainableScore& model, data::Batches const& batches, Communicator ranks, Summation summation,
                                         random::Key key, ScoreMatchingOptions options, SlicedOptions sliced)
    : ScoreMatching(model, batches, ranks, summation, key, options, {2, sliced.variance_reduced}),
      options_(sliced),
      kind_(sliced.directions == "gaussian"     ? Directions::gaussian
            : sliced.directions == "rademacher" ? Directions::rademacher
                                                : Directions::sphere) {
  require_fit(model, sliced);
}

void SlicedScoreMatching::list(Arrays arrays, TrainableScore const& model, Share const& share, Summation summation,
                               SlicedOptions const& sliced) {
  ScoreMatching::list(arrays, model, share, summation, {2, sliced.variance_reduced});
}

void SlicedScoreMatching::draw_directions(Index step, Index first) {
  draw_normals(memory_.direction, random::Stream::score_directions, step, first);
  if (kind_ == Directions::rademacher) take_signs(memory_.direction);
  if (kind_ == Directions::sphere) normalise(memory_.direction);
}

// 1/2 |g|^2, whose gradient is that of v.g with v = g held fixed.
void SlicedScoreMatching::add_square(Points const& p, Vector sum) {
  Tiles const g = lanes_of(memory_.direction, p);
  model_.gradient_forward(p.x, g);
  take_square(g, p.real, Real(scale()), lanes_of(memory_.loss, p));
  model_.gradient_reverse(p.x, g, sum);
}

// - v' (dg/dx) v.
void SlicedScoreMatching::add_curvature(Points const& p, ConstTiles v, double share, Vector sum) {
  TileScalars const second = lanes_of(memory_.second, p), c2 = lanes_of(memory_.c2, p);
  model_.directional_forward(p.x, v, 2, {}, second);
  weigh_curvature(second, p.real, Real(share), Real(scale()), c2, lanes_of(memory_.loss, p));
  model_.directional_reverse(p.x, {}, c2, sum);
}

void SlicedScoreMatching::add(Points const& p, Vector sum) {
  double const share = 1 / double(options_.projections);
  if (options_.variance_reduced) add_square(p, sum);
  for (Index m = 0; m < options_.projections; m++) {
    draw_directions(p.update * options_.projections + m, p.first);
    Tiles const v = lanes_of(memory_.direction, p);
    if (options_.variance_reduced) add_curvature(p, v, share, sum);
    else add_sliced(p, v, share, sum);
  }
}

}  // namespace partita
