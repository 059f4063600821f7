#include "models/softmax_rbm.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/require.hpp"
#include "models/host_values.hpp"
#include "models/unit_kernels.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

// Hidden units that one kernel instance computes: on a CPU all, in vectors; on a GPU one, with neighbouring units in neighbouring threads.
constexpr Index hidden_block = runs_on_host ? Index{1} << 20 : 1;

struct Block {
  Index first, end;
  KOKKOS_FORCEINLINE_FUNCTION Block(Index which, Index hidden)
      : first(which * hidden_block), end(first + hidden_block < hidden ? first + hidden_block : hidden) {}
};

KOKKOS_FORCEINLINE_FUNCTION Real dot(Real const* a, Real const* b, Index n) {
  Real partial[lane_quantum] = {};
  Index j = 0;
  for (; j + lane_quantum <= n; j += lane_quantum)
    for (Index s = 0; s < lane_quantum; s++) partial[s] = std::fma(a[j + s], b[j + s], partial[s]);
  for (; j < n; j++) partial[0] = std::fma(a[j], b[j], partial[0]);
  Real sum = 0;
  for (Real p : partial) sum += p;
  return sum;
}

// Calls visit(lane, level) for the lanes of a group of neighbours that have rated an item; in most groups there are none.
template <class Visit>
KOKKOS_FORCEINLINE_FUNCTION void for_rated(Real const* x, Index begin, Index end, Visit const& visit) {
  for (Index first = begin; first < end; first += lane_quantum) {
    Index const last = first + lane_quantum < end ? first + lane_quantum : end;
    Real highest = 0;
    for (Index l = first; l < last; l++) highest = x[l] > highest ? x[l] : highest;
    if (highest == Real(0)) continue;
    for (Index l = first; l < last; l++)
      if (x[l] != Real(0)) visit(l, Index(x[l]) - 1);
  }
}

// 1 / count; 0 where nobody has rated the item, and there is no gradient to divide.
KOKKOS_FORCEINLINE_FUNCTION Real inverse(Real count) { return count > Real(0) ? 1 / count : Real(0); }

// A draw of a hidden unit in place of its field.
struct HiddenDraw {
  Real* row;
  Real beta;
  Index hidden;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index l, std::uint32_t word) const {
    Real& h = row[l * hidden];
    h = random::uniform(word) < math::sigmoid(beta * h) ? Real(1) : Real(0);
  }
};

}  // namespace

deck::Schema softmax_rbm_schema() {
  using O = SoftmaxRbmOptions;
  return deck::schema<O>(
      "softmax_rbm", "restricted Boltzmann machine of ratings: softmax visible units, where items that a user has not rated are left out",
      {deck::key("items", &O::items, "number of items that can be rated, the visible units").required().at_least(1),
       deck::key("levels", &O::levels, "number K of levels of a rating").at_least(2).at_most(SoftmaxRbm::most_levels),
       deck::key("hidden", &O::hidden, "number of hidden units, each 0 or 1").required().at_least(1),
       deck::key("shared_weights", &O::shared_weights,
                 "whether the weights U_ik = W_ik + S_k have a part S that all items share; false: S = 0"),
       deck::key("smoothing", &O::smoothing,
                 "number of ratings added to each item, with the frequencies over all items (additive smoothing), before the biases start "
                 "at the logarithms of the frequencies of its ratings")
           .above(0)
           .of_learning(),
       deck::key("rated_fraction_offset", &O::rated_fraction_offset,
                 "eps: the gradient of item i is divided by f_i + eps, where f_i is the fraction of the batch's users who rated it; 0: all "
                 "items learn equally fast; the larger, the more slowly rarely rated items learn")
           .at_least(0)
           .of_learning()
           .formerly("count_offset"),
       deck::key("initial_scale", &O::initial_scale, "standard deviation of the random weights at the start").at_least(0).of_learning()});
}

SoftmaxRbm::SoftmaxRbm(SoftmaxRbmOptions const& o, Arrays arrays)
    : items_(o.items),
      levels_(o.levels),
      hidden_(o.hidden),
      shared_(o.shared_weights),
      smoothing_(o.smoothing),
      rated_fraction_offset_(o.rated_fraction_offset),
      initial_scale_(o.initial_scale),
      parameters_(arrays.make<Vector>("softmax_rbm parameters", hidden_at() + o.hidden)) {}

void SoftmaxRbm::initialise(std::function<double(Index)> const& normal) {
  auto const draw = [&](Vector to, Index first) {
    std::vector<double> w(to.extent(0));
    for (std::size_t i = 0; i < w.size(); i++) w[i] = initial_scale_ * normal(first + Index(i));
    assign(to, w);
  };
  draw(weight(), 0);
  if (shared_) draw(shared_weight(), shared_at());
}

void SoftmaxRbm::start_from_counts(std::vector<double> const& counts) {
  auto const n = std::size_t(levels_);
  std::vector<double> share(n, 1), a(counts.size());
  double all = double(levels_);
  for (std::size_t i = 0; i < counts.size(); i++) share[i % n] += counts[i], all += counts[i];
  for (std::size_t item = 0; item < counts.size(); item += n) {
    double total = smoothing_;
    for (std::size_t k = 0; k < n; k++) total += counts[item + k];
    for (std::size_t k = 0; k < n; k++) a[item + k] = std::log((counts[item + k] + smoothing_ * share[k] / all) / total);
  }
  assign(visible_bias(), a);
}

std::vector<ParameterBlock> SoftmaxRbm::parameter_blocks() const {
  return {{"weight", {items_, levels_, hidden_}, 0},
          {"shared_weight", {levels_, hidden_}, shared_at()},
          {"visible_bias", {items_, levels_}, bias_at()},
          {"hidden_bias", {hidden_}, hidden_at()}};
}

void SoftmaxRbm::work(Arrays arrays, Index tiles, Index lanes) const {
  EnergyModel::work(arrays, tiles, lanes);
  arrays.grow(field_, "hidden units of a softmax_rbm", tiles, lanes, hidden_);
  arrays.grow(counts_, "levels", tiles, lanes, levels_);
  arrays.grow(bias_, "visible energies", tiles, lanes);
}

void SoftmaxRbm::gather(ConstTiles x, Collect what) const {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), items = items_, levels = levels_, hidden = hidden_,
              strips = divide_up(lanes, strip_lanes), blocks = divide_up(hidden, hidden_block);
  reserve(tiles, lanes);
  auto const field = field_, counts = counts_;
  auto const bias = bias_;
  ConstVector const w = weight(), s = shared_weight(), a = visible_bias(), b = hidden_bias();
  bool const all = what == Collect::all;
  Kokkos::parallel_for(
      "partita::gather_rated", Range(0, tiles * strips * blocks), KOKKOS_LAMBDA(Index n) {
        Block const block(n % blocks, hidden);
        Index const tile = n / blocks / strips, begin = n / blocks % strips * strip_lanes;
        Index const end = begin + strip_lanes < lanes ? begin + strip_lanes : lanes;
        bool const collects = all && block.first == 0;
        for (Index l = begin; l < end; l++) {
          for (Index j = block.first; j < block.end; j++) field(tile, l, j) = b(j);
          if (!collects) continue;
          bias(tile, l) = 0;
          for (Index k = 0; k < levels; k++) counts(tile, l, k) = 0;
        }
        for (Index i = 0; i < items; i++)
          for_rated(&x(tile, i, 0), begin, end, [&](Index l, Index k) {
            Real* const to = &field(tile, l, 0);
            Real const *own = &w((i * levels + k) * hidden), *common = &s(k * hidden);
#pragma GCC ivdep
            for (Index j = block.first; j < block.end; j++) to[j] += own[j] + common[j];
            if (!collects) return;
            bias(tile, l) += double(a(i * levels + k));
            counts(tile, l, k) += 1;
          });
      });
}

void SoftmaxRbm::draw_hidden(Index tiles, Index lanes, Sweep const& sweep) const {
  auto const field = field_;
  Index const hidden = hidden_;
  Real const beta = Real(sweep.beta);
  draw_units(
      "partita::draw_hidden", tiles, hidden, lanes, sweep, round_up(items_, 4), KOKKOS_LAMBDA(Index tile, Index j) {
        return HiddenDraw{&field(tile, 0, j), beta, hidden};
      });
}

void SoftmaxRbm::draw_visible(Tiles x, Sweep const& sweep) const {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), items = items_, levels = levels_, hidden = hidden_,
              strips = divide_up(lanes, strip_lanes);
  auto const field = field_, counts = counts_;
  ConstVector const w = weight(), s = shared_weight(), a = visible_bias();
  Kokkos::parallel_for(
      "partita::shared_fields", Range(0, tiles * lanes * levels), KOKKOS_LAMBDA(Index n) {
        Index const k = n % levels, lane = n / levels % lanes, tile = n / levels / lanes;
        counts(tile, lane, k) = dot(&s(k * hidden), &field(tile, lane, 0), hidden);
      });
  auto const key = sweep.key;
  auto const chains = sweep.chains;
  auto const stream = sweep.stream;
  auto const step = std::uint64_t(sweep.step);
  auto const held = sweep.held;
  Real const beta = Real(sweep.beta);
  Kokkos::parallel_for(
      "partita::draw_rated", Range(0, tiles * items * strips), KOKKOS_LAMBDA(Index n) {
        Index const begin = n % strips * strip_lanes, i = n / strips % items, tile = n / strips / items;
        Index const end = begin + strip_lanes < lanes ? begin + strip_lanes : lanes;
        if (held.data() != nullptr && held(i) != 0) return;
        Real* const row = &x(tile, i, 0);
        for_rated(row, begin, end, [&](Index l, Index) {
          Real const* const h = &field(tile, l, 0);
          Real p[most_levels], highest = -std::numeric_limits<Real>::infinity(), sum = 0;
          for (Index k = 0; k < levels; k++) {
            p[k] = std::fma(beta, dot(&w((i * levels + k) * hidden), h, hidden) + counts(tile, l, k), a(i * levels + k));
            highest = p[k] > highest ? p[k] : highest;
          }
          for (Index k = 0; k < levels; k++) sum += p[k] = math::exp(p[k] - highest);
          auto const words = random::words(key, chains.of(tile, l), stream, step, std::uint32_t(i / 4));
          Real left = random::uniform(words.w[i % 4]) * sum;
          Index drawn = 0;
          while (drawn + 1 < levels && left >= p[drawn]) left -= p[drawn++];
          row[l] = Real(drawn + 1);
        });
      });
}

void SoftmaxRbm::sweep(Tiles x, Sweep const& sweep) const {
  gather(x, Collect::field);
  draw_hidden(extent(x, 0), extent(x, 2), sweep);
  draw_visible(x, sweep);
}

void SoftmaxRbm::path_energy(ConstTiles x, double at, TileScalars energy) const {
  gather(x, Collect::all);
  auto const field = field_;
  auto const bias = bias_;
  Index const lanes = extent(x, 2), hidden = hidden_;
  Real const beta = Real(at);
  Kokkos::parallel_for(
      "partita::rating_energy", Range(0, extent(x, 0) * lanes), KOKKOS_LAMBDA(Index n) {
        Index const tile = n / lanes, l = n % lanes;
        double sum = bias(tile, l);
        for (Index j = 0; j < hidden; j++) sum += double(math::softplus(beta * field(tile, l, j)));
        energy(tile, l) = Real(-sum);
      });
}

double SoftmaxRbm::log_z_reference() const {
  fail(ExitCode::usage,
       "the normalisation of model.type = \"softmax_rbm\" differs for each choice of rated items; compare predictions of held-out "
       "ratings instead (estimator.type = \"ratings\")",
       FailedOn::all_ranks);
}

void SoftmaxRbm::energy_forward(ConstTiles x, TileScalars energy) {
  path_energy(x, 1, energy);
  auto const field = field_;
  Index const lanes = extent(x, 2), hidden = hidden_;
  Kokkos::parallel_for(
      "partita::hidden_means", Range(0, extent(x, 0) * lanes), KOKKOS_LAMBDA(Index n) {
        Real* const row = &field(n / lanes, n % lanes, 0);
#pragma GCC ivdep
        for (Index j = 0; j < hidden; j++) row[j] = math::sigmoid(row[j]);
      });
}

void SoftmaxRbm::energy_reverse(ConstTiles x, ConstTileScalars weight_of, Vector sum) {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), items = items_, levels = levels_, hidden = hidden_,
              blocks = divide_up(hidden, hidden_block), shared = shared_at(), bias = bias_at(), last = hidden_at();
  auto const mean = field_, counts = counts_;
  Kokkos::parallel_for(
      "partita::rating_gradient", Range(0, items * blocks), KOKKOS_LAMBDA(Index n) {
        Index const i = n / blocks;
        Block const block(n % blocks, hidden);
        for (Index tile = 0; tile < tiles; tile++)
          for_rated(&x(tile, i, 0), 0, lanes, [&](Index l, Index k) {
            Real const weight = weight_of(tile, l), *p = &mean(tile, l, 0);
            Real* const to = &sum((i * levels + k) * hidden);
#pragma GCC ivdep
            for (Index j = block.first; j < block.end; j++) to[j] = std::fma(-weight, p[j], to[j]);
            if (block.first == 0) sum(bias + i * levels + k) -= weight;
          });
      });
  // In the gradient of S a user counts for level k as often as he has rated with it; the row after the levels is b, where each counts once.
  bool const learns = shared_;
  Kokkos::parallel_for(
      "partita::shared_gradient", Range(0, (levels + 1) * blocks), KOKKOS_LAMBDA(Index n) {
        Index const k = n / blocks;
        Block const block(n % blocks, hidden);
        if (k < levels && !learns) return;
        Real* const to = &sum(k < levels ? shared + k * hidden : last);
        for (Index tile = 0; tile < tiles; tile++)
          for (Index l = 0; l < lanes; l++) {
            Real const weight = weight_of(tile, l) * (k < levels ? counts(tile, l, k) : Real(1)), *p = &mean(tile, l, 0);
#pragma GCC ivdep
            for (Index j = block.first; j < block.end; j++) to[j] = std::fma(-weight, p[j], to[j]);
          }
      });
}

void SoftmaxRbm::add_unit_means(ConstTiles x, ConstTileScalars weight_of, Vector sum) const {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), items = items_;
  auto const mean = field_;
  Kokkos::parallel_for(
      "partita::unit_means", Range(0, items + hidden_), KOKKOS_LAMBDA(Index i) {
        Real total = 0;
        for (Index tile = 0; tile < tiles; tile++) {
          if (i < items) for_rated(&x(tile, i, 0), 0, lanes, [&](Index l, Index) { total += weight_of(tile, l); });
          else
            for (Index l = 0; l < lanes; l++) total += weight_of(tile, l) * mean(tile, l, i - items);
        }
        sum(i) += total;
      });
}

void SoftmaxRbm::centre(Vector, ConstVector) const {
  fail(ExitCode::usage,
       "objective.centred needs data without missing units, and in model.type = \"softmax_rbm\" unrated items are missing; set "
       "it to false",
       FailedOn::all_ranks);
}

void SoftmaxRbm::rescale(Vector gradient, ConstVector unit_means) const {
  Index const items = items_, levels = levels_, hidden = hidden_, shared = shared_at(), bias = bias_at();
  Real const offset = Real(rated_fraction_offset_);
  Real ratings = 0;  // mean number per user
  Kokkos::parallel_reduce(
      "partita::ratings_a_user", Range(0, items), KOKKOS_LAMBDA(Index i, Real & sum) { sum += unit_means(i); }, ratings);
  Kokkos::parallel_for(
      "partita::rescale_items", Range(0, items * levels), KOKKOS_LAMBDA(Index n) {
        Real const factor = inverse(unit_means(n / levels) + offset);
        for (Index j = 0; j < hidden; j++) gradient(n * hidden + j) *= factor;
        gradient(bias + n) *= factor;
      });
  Kokkos::parallel_for(
      "partita::rescale_shared", Range(0, levels * hidden), KOKKOS_LAMBDA(Index n) { gradient(shared + n) *= inverse(ratings); });
}

LevelPredictor::LevelPredictor(SoftmaxRbm const& model) : levels_(model.levels()), hidden_(model.hidden()) {
  auto const read = [](ConstVector v) {
    auto const host = values_on_host(v);
    return std::vector<Real>(host.data(), host.data() + host.extent(0));
  };
  weight_ = read(model.weight()), visible_bias_ = read(model.visible_bias()), hidden_bias_ = read(model.hidden_bias());
  auto const shared = read(model.shared_weight());
  for (std::size_t i = 0; i < weight_.size(); i++) weight_[i] += shared[i % shared.size()];
}

std::vector<Real> LevelPredictor::field(std::vector<double> const& codes) const {
  std::vector<Real> out = hidden_bias_;
  for (Index i = 0; i < std::ssize(codes); i++) {
    auto const code = Index(codes[i]);
    if (code == 0) continue;
    Real const* const u = weight_.data() + (i * levels_ + code - 1) * hidden_;
    for (std::size_t j = 0; j < out.size(); j++) out[j] += u[j];
  }
  return out;
}

std::vector<double> LevelPredictor::probabilities(std::vector<Real> const& field, Index item) const {
  std::vector<double> p;
  std::vector<Real> terms(field.size());
  for (Index k = 0; k < levels_; k++) {
    Real const* const u = weight_.data() + (item * levels_ + k) * hidden_;
    for (std::size_t j = 0; j < terms.size(); j++) terms[j] = math::softplus(field[j] + u[j]);
    p.push_back(double(visible_bias_[item * levels_ + k]));
    for (Real t : terms) p.back() += double(t);
  }
  double const highest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& v : p) sum += v = std::exp(v - highest);
  for (double& v : p) v /= sum;
  return p;
}

}  // namespace partita
