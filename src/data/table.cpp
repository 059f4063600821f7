#include "data/table.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/require.hpp"

namespace partita::data {

std::string to_text(std::vector<Index> const& extents) {
  std::string text;
  for (Index e : extents) text += (text.empty() ? "" : ", ") + std::to_string(e);
  return "[" + text + "]";
}

namespace {

template <class T>
void require_finite(Table const& table, std::vector<T> const& values) {
  auto const is_none = [](T v) { return !std::isfinite(v); };
  auto const bad = std::count_if(values.begin(), values.end(), is_none);
  if (bad == 0) return;
  Index const first = std::find_if(values.begin(), values.end(), is_none) - values.begin();
  fail(ExitCode::data,
       fmt::format("{}: {} of {} values are NaN or infinite, the first in row {}, entry {} (counted from 0); remove these rows",
                   table.source, bad, values.size(), first / table.dimension(), first % table.dimension()),
       FailedOn::all_ranks);
}

// 0 where the values are not bytes.
double highest_byte(Table const& table) { return std::holds_alternative<std::vector<std::uint8_t>>(table.values) ? table.highest_byte : 0; }

}  // namespace

void require_finite(Table const& table) {
  if (auto const* floats = std::get_if<std::vector<float>>(&table.values)) require_finite(table, *floats);
  if (auto const* doubles = std::get_if<std::vector<double>>(&table.values)) require_finite(table, *doubles);
}

void append(Table& table, Table const& more) {
  require_all(table.shape == more.shape, ExitCode::data, "{}: rows of shape {}, but those of {} have shape {}; they must agree",
              more.source, to_text(more.shape), table.source, to_text(table.shape));
  require_all(highest_byte(table) == highest_byte(more), ExitCode::data,
              "{}: its element type differs from that of {} (bytes, booleans, others); they must agree", more.source, table.source);
  if (table.values.index() < more.values.index()) {
    auto const& floats = std::get<std::vector<float>>(table.values);
    table.values = std::vector<double>(floats.begin(), floats.end());
  }
  std::visit([](auto& to, auto const& from) { to.insert(to.end(), from.begin(), from.end()); }, table.values, more.values);
  table.rows += more.rows;
  table.warnings.insert(table.warnings.end(), more.warnings.begin(), more.warnings.end());
}

void narrow_where_exact(Table& table) {
  auto const* doubles = std::get_if<std::vector<double>>(&table.values);
  if (!doubles) return;
  auto const loses = [](double v) { return std::abs(v) > std::numeric_limits<float>::max() || double(float(v)) != v; };
  if (std::any_of(doubles->begin(), doubles->end(), loses)) return;
  table.values = std::vector<float>(doubles->begin(), doubles->end());
}

namespace {
// One step that is bijective in each argument, so that a change of one word always changes the hash.
std::uint64_t absorb(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 32;
}
}  // namespace

std::uint64_t content_hash(void const* bytes, std::size_t count, std::uint64_t start) {
  auto const* const from = static_cast<unsigned char const*>(bytes);
  std::uint64_t hash = absorb(start, count);
  for (std::size_t at = 0; at < count; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at, std::min<std::size_t>(8, count - at));
    hash = absorb(hash, word);
  }
  return hash;
}

std::uint64_t content_hash(Table const& table, Index first, Index rows) {
  std::uint64_t hash = absorb(std::uint64_t(highest_byte(table)), std::uint64_t(rows));
  for (Index e : table.shape) hash = absorb(hash, std::uint64_t(e));
  std::visit(
      [&](auto const& values) {
        auto const from = values.begin() + first * table.dimension();
        for (auto at = from; at != from + rows * table.dimension(); ++at) hash = absorb(hash, std::bit_cast<std::uint64_t>(double(*at)));
      },
      table.values);
  return hash;
}

}  // namespace partita::data
