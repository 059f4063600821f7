#include "models/hopfield.hpp"

#include <cmath>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/matrix_product.hpp"
#include "core/require.hpp"
#include "core/strip_words.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

// Units whose fields one product computes. In sequential updates a unit sees earlier changes in its block through the block's couplings.
constexpr Index block_of_one_by_one = 64, block_of_together = 256;
Index block_of(Order order) { return order == Order::one_by_one ? block_of_one_by_one : block_of_together; }

Factor factor(ConstTiles x) { return {x.data(), Index(x.stride(1)), Form::plain, Index(x.stride(0))}; }
Product product(Tiles x, Real beta = 0) { return {x.data(), Index(x.stride(1)), 1, beta, Index(x.stride(0))}; }

// The new value of a unit, from N h, its present value and a random word.
struct Sign {
  static constexpr bool draws = false;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real field, Real unit, std::uint32_t) const {
    return field > 0 ? Real(1) : field < 0 ? Real(-1) : unit;
  }
};
struct HeatBath {
  static constexpr bool draws = true;
  Real slope;  // 2 beta / N
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real field, Real, std::uint32_t word) const {
    return random::uniform(word) < math::sigmoid(slope * field) ? Real(1) : Real(-1);
  }
};

// Updates the units of one block in a strip of lanes.
template <class Rule>
struct BlockUpdate {
  Tiles x, fields;        // fields: X m before the update, the changes of the units after it
  ConstVector couplings;  // N W inside the block; empty: units change together
  Index first, count;
  Real patterns;
  Rule rule;
  Held held;
  bool reversed;
  random::RoundKeys keys;
  ChainNumbers chains;
  random::Stream stream;
  Index step;

  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index tile, Index lane, Index lanes) const {
    random::StripWords words{};
    Index drawn = -1;
    for (Index k = 0; k < count; k++) {
      Index const u = reversed ? count - 1 - k : k, unit = first + u;
      if (Rule::draws && unit / 4 != drawn) {
        drawn = unit / 4;
        random::fill(words, keys, chains.of(tile, lane), stream, std::uint64_t(step), std::uint32_t(drawn));
      }
      std::uint32_t const* const w = words.w[unit % 4];
      Real *const s = &x(tile, unit, lane), *const field = &fields(tile, u, lane);
      Real const moves = held.data() != nullptr && held(unit) != 0 ? Real(0) : Real(1);
#pragma GCC ivdep
      for (Index l = 0; l < lanes; l++) {
        Real const change = moves * (rule(std::fma(-patterns, s[l], field[l]), s[l], w[l]) - s[l]);
        s[l] += change;
        field[l] = change;
      }
      if (couplings.data() == nullptr) continue;
      for (Index v = reversed ? 0 : u + 1; v < (reversed ? u : count); v++) {
        Real const coupling = couplings(unit * block_of_one_by_one + v);
        Real* const other = &fields(tile, v, lane);
#pragma GCC ivdep
        for (Index l = 0; l < lanes; l++) other[l] = std::fma(coupling, field[l], other[l]);
      }
    }
  }
};

}  // namespace

deck::Schema hopfield_schema() {
  using O = HopfieldOptions;
  return deck::schema<O>("hopfield", "binary Hopfield network, E = -1/2 s'W s with W = (1/N) sum xi xi' over its patterns, s_i = -1 or 1",
                         {deck::key("units", &O::units, "number N of units").required().at_least(2),
                          deck::key("patterns", &O::patterns,
                                    "number P of random patterns, set by the run's seed; 0: the training items of [data], of values -1 and "
                                    "1, or of 0 and 1, which are taken as -1 and 1")
                              .at_least(0),
                          deck::key("beta", &O::beta, "inverse temperature beta: samples exp(-beta E)").above(0)});
}

Vector random_patterns(Index units, Index patterns, random::Key key, Index which) {
  constexpr Index signs = 128;  // from one call of the random number generator
  Vector const out("patterns", units * patterns);
  Kokkos::parallel_for(
      "partita::random_patterns", Range(0, divide_up(units, signs) * patterns), KOKKOS_LAMBDA(Index n) {
        Index const group = n / patterns, pattern = n % patterns;
        auto const w = random::words(key, std::uint64_t(pattern), random::Stream::parameters, std::uint64_t(which), std::uint32_t(group));
        for (Index k = 0; k < signs && group * signs + k < units; k++)
          out((group * signs + k) * patterns + pattern) = w.w[k / 32] >> k % 32 & 1 ? Real(1) : Real(-1);
      });
  return out;
}

std::unique_ptr<Hopfield> make_hopfield(HopfieldOptions const& o, random::Key key, Arrays arrays) {
  auto network = std::make_unique<Hopfield>(o.units, o.beta);
  if (!arrays.makes()) network->expect(o.patterns, arrays);
  else if (o.patterns > 0) network->remember(random_patterns(o.units, o.patterns, key));
  return network;
}

void Hopfield::expect(Index patterns, Arrays arrays) {
  patterns_ = patterns;
  memory_ = arrays.make<Vector>("patterns", units_ * patterns);
  make_couplings(arrays);
}

void Hopfield::make_couplings(Arrays arrays) { couplings_ = arrays.make<Vector>("couplings inside blocks", units_ * block_of_one_by_one); }

void Hopfield::remember(Vector patterns) {
  memory_ = patterns;
  patterns_ = extent(patterns, 0) / units_;
  make_couplings({});
  for (Index first = 0; first < units_; first += block_of_one_by_one) {
    Index const count = std::min(block_of_one_by_one, units_ - first);
    Real const* const rows = memory_.data() + first * patterns_;
    matrix_product({count, count, patterns_}, {rows, patterns_}, {rows, patterns_, Form::transposed},
                   {couplings_.data() + first * block_of_one_by_one, block_of_one_by_one});
  }
}

void Hopfield::remember(std::vector<double> const& points) {
  Index const count = std::ssize(points) / units_;
  require_all(count > 0 && count * units_ == std::ssize(points), ExitCode::usage,
              "a network of {} units was given patterns of {} numbers in all; set model.units to the dimension of the data", units_,
              points.size());
  Vector const patterns("patterns", units_ * count);
  auto const host = Kokkos::create_mirror_view(patterns);
  for (Index p = 0; p < count; p++)
    for (Index i = 0; i < units_; i++) host(i * count + p) = points[p * units_ + i] > 0.5 ? Real(1) : Real(-1);
  copy_array(patterns, host);
  remember(patterns);
}

void Hopfield::work(Arrays arrays, Index tiles, Index lanes) const {
  require_all(patterns_ > 0, ExitCode::usage,
              "model.patterns = 0 is for the training items of [data], and the deck has none; add it, or a "
              "number of random patterns");
  EnergyModel::work(arrays, tiles, lanes);
  arrays.grow(overlaps_, "overlaps with patterns", tiles, patterns_, pitch_of(lanes));
  arrays.grow(fields_, "fields of a network", tiles, block_of_together, pitch_of(lanes));
}

Tiles Hopfield::overlaps(ConstTiles x) const {
  reserve_for(x);
  Tiles const m = leading(overlaps_, extent(x, 0), patterns_, extent(x, 2));
  matrix_product({patterns_, extent(x, 2), units_}, {memory_.data(), patterns_, Form::transposed}, factor(x), product(m), extent(x, 0));
  return m;
}

template <class Rule>
void Hopfield::update(Tiles x, Order order, Rule const& rule, Sweep const& sweep) const {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), strips = divide_up(lanes, strip_lanes);
  Index const block = block_of(order), blocks = divide_up(units_, block);
  bool const one_by_one = order == Order::one_by_one;
  Tiles const m = overlaps(x), fields = leading(fields_, tiles, block_of_together, lanes);
  for (Index n = 0; n < blocks; n++) {
    Index const first = (sweep.reversed ? blocks - 1 - n : n) * block, count = std::min(block, units_ - first);
    Real const* const rows = memory_.data() + first * patterns_;
    matrix_product({count, lanes, patterns_}, {rows, patterns_}, factor(m), product(fields), tiles);
    BlockUpdate<Rule> const update{x,
                                   fields,
                                   one_by_one ? ConstVector(couplings_) : ConstVector(),
                                   first,
                                   count,
                                   Real(patterns_),
                                   rule,
                                   sweep.held,
                                   sweep.reversed,
                                   random::round_keys(sweep.key),
                                   sweep.chains,
                                   sweep.stream,
                                   sweep.step};
    Kokkos::parallel_for(
        "partita::hopfield_block", Range(0, tiles * strips), KOKKOS_LAMBDA(Index k) {
          Index const lane = k % strips * strip_lanes;
          update(k / strips, lane, lanes - lane < strip_lanes ? lanes - lane : strip_lanes);
        });
    if (one_by_one && n + 1 < blocks)
      matrix_product({patterns_, lanes, count}, {rows, patterns_, Form::transposed}, factor(fields), product(m, 1), tiles);
  }
}

void Hopfield::sweep(Tiles x, Sweep const& s) const {
  update(x, Order::one_by_one, HeatBath{Real(2 * s.beta * beta_ / double(units_))}, s);
}

void Hopfield::recall(Tiles x, Order order) const { update(x, order, Sign{}, {}); }

// s'W s = (m'm - N P) / N.
void Hopfield::path_energy(ConstTiles x, double beta, TileScalars energy) const {
  ConstTiles const m = overlaps(x);
  Index const lanes = extent(x, 2), strips = divide_up(lanes, strip_lanes), patterns = patterns_;
  double const scale = -0.5 * beta * beta_ / double(units_), shift = double(units_ * patterns_);
  Kokkos::parallel_for(
      "partita::hopfield_energy", Range(0, extent(x, 0) * strips), KOKKOS_LAMBDA(Index n) {
        Index const tile = n / strips, lane = n % strips * strip_lanes, count = lanes - lane < strip_lanes ? lanes - lane : strip_lanes;
        double sum[strip_lanes] = {};
        for (Index p = 0; p < patterns; p++) {
          Real const* const row = &m(tile, p, lane);
#pragma GCC ivdep
          for (Index l = 0; l < count; l++) sum[l] += double(row[l]) * double(row[l]);
        }
        for (Index l = 0; l < count; l++) energy(tile, lane + l) = Real(scale * (sum[l] - shift));
      });
}

double Hopfield::log_z_reference() const { return double(units_) * std::log(2.); }

}  // namespace partita
