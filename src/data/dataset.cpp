#include "data/dataset.hpp"

#include <cmath>
#include <limits>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "data/rounding.hpp"

namespace partita::data {
namespace {

std::vector<Content> contents_of(Table const& table, Index own_rows, std::string const& test_source, Ratings const* ratings) {
  std::vector<Content> out{{"rows", table.source, content_hash(table, 0, own_rows)}};
  if (!test_source.empty()) out.push_back({"test_rows", test_source, content_hash(table, own_rows, table.rows - own_rows)});
  if (!ratings) return out;
  std::uint64_t hash = 0;
  for (auto const* ids : {&ratings->users, &ratings->items}) hash = content_hash(ids->data(), ids->size() * sizeof(Index), hash);
  hash = content_hash(ratings->levels.data(), ratings->levels.size() * sizeof(double), hash);
  hash = content_hash(ratings->held_out.data(), ratings->held_out.size() * sizeof(Ratings::HeldOut), hash);
  out.push_back({"held_out_ratings", table.source, hash});
  return out;
}

}  // namespace

Dataset::Dataset(Source source, DataOptions const& options, random::Key key)
    : table_(std::move(source.table)),
      fresh_(std::move(source.fresh)),
      ratings_(std::move(source.ratings)),
      key_(key),
      order_(table_.rows - source.test_rows, key, random::Stream::data_split),
      split_by_order_(options.validation_fraction + options.test_fraction > 0),
      threshold_(options.threshold),
      test_source_(std::move(source.test_source)),
      warnings_(std::move(table_.warnings)),
      test_key_(std::move(source.test_key)) {
  require_finite(table_);
  if (!fresh_) contents_ = contents_of(table_, order_.size(), test_source_, ratings_.get());
  narrow_where_exact(table_);
  Index const split_rows = order_.size();
  auto const part = [split_rows](double fraction) { return Index(std::llround(fraction * double(split_rows))); };
  validation_ = part(options.validation_fraction);
  test_ = source.test_rows > 0 ? source.test_rows : part(options.test_fraction);
  train_ = split_rows - validation_ - (source.test_rows > 0 ? 0 : test_);
  require_all(train_ > 0, ExitCode::usage,
              "data.validation_fraction = {} and data.test_fraction = {} leave no training item of {} rows of {}; lower them",
              options.validation_fraction, options.test_fraction, split_rows, table_.source);
  set_scaling(options);
  for (std::size_t d = 0; d < scale_.size(); d++)
    require_all(std::isfinite(scale_[d]), ExitCode::data, "{}: entry {} varies by less than 1e-308; write it in smaller units",
                table_.source, d);
  if (!rounds_nothing()) require_range(), look_for_lost_digits();
  if (options.binarize == "stochastic") check_probabilities();
  binarize_ = options.binarize == "threshold"    ? Binarize::threshold
              : options.binarize == "stochastic" ? Binarize::stochastic
                                                 : Binarize::none;
}

Index Dataset::size(Split split) const { return split == Split::train ? train_ : split == Split::validation ? validation_ : test_; }

std::size_t Dataset::bytes() const {
  return std::visit([](auto const& values) { return values.size() * sizeof values[0]; }, table_.values);
}

Item Dataset::item(Split split, Index i, Index epoch) const {
  Index const place = i + (split == Split::train ? 0 : split == Split::validation ? train_ : train_ + validation_);
  return {split_by_order_ && place < order_.size() ? order_(place) : place, epoch};
}

double Dataset::raw(Index row, Index entry) const {
  return std::visit([at = std::size_t(row * dimension() + entry)](auto const& values) { return double(values[at]); }, table_.values);
}

void Dataset::set_scaling(DataOptions const& options) {
  if (options.scaling == "standardize") return standardize();
  bool const affine = options.scaling == "affine", unit = options.scaling == "unit", symmetric = options.scaling == "symmetric";
  require_all(!affine || options.scale != 0, ExitCode::usage, "data.scale = 0 makes all entries of {} the same; choose another value",
              table_.source);
  scale_ = {affine ? options.scale : 1};
  offset_ = {affine ? options.offset : 0};
  if (unit || symmetric) {
    auto const [low, high] = range();
    scale_[0] = (unit ? 0.5 : 1) / (high / 2 - low / 2);  // high - low may be beyond double
    offset_[0] = (unit ? 0 : -1) - scale_[0] * low;
  }
}

// The range that scaling maps to [0, 1] or [-1, 1]: that of all byte values, or that of the training items.
std::pair<double, double> Dataset::range() {
  if (auto const* bytes = std::get_if<std::vector<std::uint8_t>>(&table_.values)) {
    if (table_.highest_byte > 1 && *std::max_element(bytes->begin(), bytes->end()) <= 1)
      warnings_.push_back(
          fmt::format("{}: all bytes are 0 or 1, but this data.scaling divides by 255; scaling = \"none\" keeps them", table_.source));
    return {0, table_.highest_byte};
  }
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (Index i = 0; i < train_; i++)
    for (Index d = 0, row = item(Split::train, i).row; d < dimension(); d++)
      low = std::min(low, raw(row, d)), high = std::max(high, raw(row, d));
  return {low, high > low ? high : low + 1};
}

// Mean and variance over the training items in one pass (Welford 1962), in long double, whose squares of doubles neither vanish nor
// overflow. A constant entry keeps its scale.
void Dataset::standardize() {
  auto const n = std::size_t(dimension());
  std::vector<long double> mean(n, 0), squares(n, 0);
  for (Index i = 0; i < train_; i++) {
    Index const row = item(Split::train, i).row;
    for (std::size_t d = 0; d < n; d++) {
      long double const value = raw(row, Index(d)), before = value - mean[d];
      mean[d] += before / static_cast<long double>(i + 1);
      squares[d] += before * (value - mean[d]);
    }
  }
  for (std::size_t d = 0; d < n; d++) {
    auto const deviation = double(std::sqrt(squares[d] / static_cast<long double>(train_)));
    scale_.push_back(deviation > 0 ? 1 / deviation : 1);
    offset_.push_back(double(-mean[d] * scale_[d]));
  }
}

// Whether rounding to single precision needs no check: for unscaled numbers of single precision, and for bytes, if a step of one is more
// than a hundred rounding errors.
bool Dataset::rounds_nothing() const {
  bool const in_double = std::holds_alternative<std::vector<double>>(table_.values);
  if (!in_double && scale_ == std::vector<double>{1} && offset_ == std::vector<double>{0}) return true;
  if (!std::holds_alternative<std::vector<std::uint8_t>>(table_.values)) return false;
  for (std::size_t d = 0; d < scale_.size(); d++)
    if (!(std::abs(scale_[d]) > 100 * std::numeric_limits<Real>::epsilon() * (255 * std::abs(scale_[d]) + std::abs(offset_[d]))))
      return false;
  return true;
}

void Dataset::require_range() const {
  constexpr double largest = std::numeric_limits<Real>::max();
  for (Index row = 0; row < table_.rows; row++)
    for (Index d = 0; d < dimension(); d++)
      if (double const value = raw(row, d), x = scale(d) * value + offset(d); !(std::abs(x) <= largest)) [[unlikely]]
        fail(ExitCode::data,
             fmt::format(
                 "{} is {:.9g}{}, beyond {:.2g}, the largest number of this build; set data.scaling = \"standardize\" or \"unit\", or "
                 "remove the row if it is a mistake",
                 place(row, d), value, x == value ? "" : fmt::format(", and {:.9g} after scaling", x), largest),
             FailedOn::all_ranks);
}

void Dataset::look_for_lost_digits() {
  struct Part {
    Index first, count;
    std::string const& source;
  };
  // Training items are examined by themselves: the others may have another range.
  for (Part const& part :
       {Part{0, train_, table_.source}, Part{train_, table_.rows - train_, test_source_.empty() ? table_.source : test_source_}}) {
    auto const read_back = [&](Index i, double* exact, double* rounded) {
      Index const place = part.first + i, row = split_by_order_ && place < order_.size() ? order_(place) : place;
      for (Index d = 0; d < dimension(); d++) {
        exact[d] = raw(row, d);
        rounded[d] = (double(Real(scale(d) * exact[d] + offset(d))) - offset(d)) / scale(d);
      }
    };
    std::string const found = rounding_warning(part.source, rounding_errors({part.count, dimension(), read_back}));
    if (!found.empty())
      warnings_.push_back(found +
                          "; set data.scaling = \"standardize\", which subtracts each entry's mean first, or build in double "
                          "precision (cmake --preset double)");
  }
}

void Dataset::check_probabilities() const {
  std::vector<Real> x(dimension());
  for (Index row = 0; row < table_.rows; row++) {
    values(Item{row, 0}, x.data());
    auto const bad = std::find_if(x.begin(), x.end(), [](Real p) { return p < 0 || p > 1; });
    require_all(bad == x.end(), ExitCode::data,
                "{} is {} after scaling; stochastic binarization needs probabilities, try scaling = \"unit\"", place(row, bad - x.begin()),
                bad == x.end() ? 0 : *bad);
  }
}

std::string Dataset::place(Index row, Index entry) const {
  bool const test = row >= order_.size();
  if (!test) return fmt::format("{}: row {}, entry {}", table_.source, row, entry);
  return fmt::format("{}{}: row {}, entry {}", test_key_.empty() ? "" : test_key_ + ": ", test_source_, row - order_.size(), entry);
}

std::optional<Dataset::Outliers> Dataset::outliers(std::vector<double> const& values) const {
  Outliers found{{}, 0, table_.rows * dimension(), std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), true};
  std::vector<Real> x(dimension());
  for (Index row = 0; row < table_.rows; row++) {
    this->values(Item{row, 0}, x.data());
    for (std::size_t d = 0; d < x.size(); d++) {
      double const shown = x[d];
      found.lowest = std::min(found.lowest, shown), found.highest = std::max(found.highest, shown);
      found.whole &= shown == std::floor(shown);
      if (std::find(values.begin(), values.end(), shown) != values.end()) continue;
      if (found.count++ == 0) found.first = fmt::format("{} is {:.9g}", place(row, Index(d)), shown);
    }
  }
  if (found.count == 0) return {};
  return found;
}

template <class T>
void Dataset::transform(Table const& table, Item item, T* out) const {
  Index const n = dimension();
  std::visit(
      [&](auto const& values) {
        auto const* row = values.data() + item.row * n;
        if (double const by = scale_[0], plus = offset_[0]; scale_.size() == 1)
          for (Index d = 0; d < n; d++) out[d] = static_cast<T>(by * row[d] + plus);
        else
          for (Index d = 0; d < n; d++) out[d] = static_cast<T>(scale(d) * row[d] + offset(d));
      },
      table.values);
  if (binarize_ == Binarize::threshold)
    for (Index d = 0; d < n; d++) out[d] = out[d] > threshold_ ? T{1} : T{0};
  if (binarize_ == Binarize::stochastic)
    for (Index d = 0; d < n; d += 4) {
      random::Words const words =
          random::words(key_, std::uint64_t(item.row), random::Stream::binarization, std::uint64_t(item.epoch), std::uint32_t(d / 4));
      for (Index k = d; k < std::min(d + 4, n); k++) out[k] = random::uniform_double(words.w[k - d]) < out[k] ? T{1} : T{0};
    }
  if (signs_)
    for (Index d = 0; d < n; d++) out[d] = out[d] > T(0.5) ? T{1} : T{-1};
}

template <class T>
void Dataset::values(Item item, T* out) const {
  transform(table_, item, out);
}
template void Dataset::values(Item, float*) const;
template void Dataset::values(Item, double*) const;

void Dataset::fill(TileStorage to, Tiling const& tiling, TileRange mine, std::function<Item(Index)> const& item_of) const {
  auto const host = Kokkos::create_mirror_view(to);
  Index const n = dimension();
  std::vector<Real> rows(lane_quantum * n);
  for (Index tile = mine.first; tile < mine.end(); tile++) {
    Index const first = tiling.first_chain(tile), chains = tiling.chains_in(tile);
    for (Index lane = 0; lane < tiling.lanes(tile); lane += lane_quantum) {
      for (Index l = 0; l < lane_quantum; l++) values(item_of(lane + l < chains ? first + lane + l : first), rows.data() + l * n);
      for (Index d = 0; d < n; d++)
        for (Index l = 0; l < lane_quantum; l++) host(tile - mine.first, d, lane + l) = rows[l * n + d];
    }
  }
  copy_array(to, host);
}

Dataset::Moments Dataset::moments() const {
  auto const n = std::size_t(dimension());
  Moments m{std::vector<double>(n), std::vector<double>(n)};
  std::vector<double> row(n);
  for (Index i = 0; i < train_; i++) {
    values(item(Split::train, i), row.data());
    // Welford's running mean and sum of squares (1962): no cancellation.
    for (std::size_t d = 0; d < n; d++) {
      double const before = row[d] - m.mean[d];
      m.mean[d] += before / double(i + 1);
      m.variance[d] += before * (row[d] - m.mean[d]);
    }
  }
  for (double& v : m.variance) v /= double(train_);
  return m;
}

std::vector<double> Dataset::points(Split split) const {
  std::vector<double> out(size(split) * dimension());
  for (Index i = 0; i < size(split); i++) values(item(split, i), out.data() + i * dimension());
  return out;
}

void Dataset::require_held_out(Index count) const {
  if (fresh_) return;
  Split const split = split_held_out();
  require_all(size(split) >= 2 * count, ExitCode::usage,
              "{}: two sets of {} points are needed, but there are {} {} items; lower the estimator's points or raise data.{}_fraction",
              table_.source, count, size(split), split == Split::test ? "test" : "validation",
              split == Split::test ? "test" : "validation");
}

std::vector<double> Dataset::held_out(Index set, Index count) const {
  Index const n = dimension();
  std::vector<double> out(count * n);
  if (fresh_) {
    Table const table = fresh_(set + 1, count);
    for (Index i = 0; i < count; i++) transform(table, Item{i, set + 1}, out.data() + i * n);
    return out;
  }
  require_held_out(count);
  Split const split = split_held_out();
  Permutation const choice(size(split), key_, random::Stream::subsample, std::uint64_t(set / 2));
  for (Index i = 0; i < count; i++) values(item(split, choice(i + set % 2 * count)), out.data() + i * n);
  return out;
}

}  // namespace partita::data
