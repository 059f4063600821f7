#include "data/table.hpp"

#include <cmath>
#include <cstring>

#include "core/require.hpp"

namespace partita::data {

std::string to_text(std::vector<Index> const& extents) {
  std::string text;
  for (Index e : extents) text += (text.empty() ? "" : ", ") + std::to_string(e);
  return "[" + text + "]";
}

void require_finite(Table const& table) {
  auto const* floats = std::get_if<std::vector<float>>(&table.values);
  if (!floats) return;
  Index bad = 0, first = 0;
  for (Index i = 0; i < static_cast<Index>(floats->size()); i++)
    if (!std::isfinite((*floats)[static_cast<std::size_t>(i)]) && bad++ == 0) first = i;
  require_all(
      bad == 0, ExitCode::data,
      "{}: {} of {} values are NaN, infinite or beyond single precision, the first in row {}, entry {} (counted from 0); remove these rows",
      table.source, bad, floats->size(), first / table.dimension(), first % table.dimension());
}

void append(Table& table, Table const& more) {
  require_all(table.shape == more.shape, ExitCode::data, "{}: rows of shape {}, but those of {} have {}; both must agree", more.source,
              to_text(more.shape), table.source, to_text(table.shape));
  require_all(table.values.index() == more.values.index(), ExitCode::data,
              "{}: its element type differs from that of {} (bytes, others); both must agree", more.source, table.source);
  std::visit(
      [&more](auto& values) {
        auto const& tail = std::get<std::decay_t<decltype(values)>>(more.values);
        values.insert(values.end(), tail.begin(), tail.end());
      },
      table.values);
  table.rows += more.rows;
}

namespace {
// One bijective step in both arguments, so that no single change is lost.
std::uint64_t absorb(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
  return hash ^ hash >> 32;
}
}  // namespace

std::uint64_t content_hash(Table const& table) {
  std::uint64_t hash = absorb(table.values.index(), static_cast<std::uint64_t>(table.rows));
  for (Index e : table.shape) hash = absorb(hash, static_cast<std::uint64_t>(e));
  std::visit(
      [&hash](auto const& values) {
        auto const* bytes = reinterpret_cast<unsigned char const*>(values.data());
        std::size_t const size = values.size() * sizeof values[0];
        for (std::size_t at = 0; at < size; at += 8) {
          std::uint64_t word = 0;
          std::memcpy(&word, bytes + at, std::min<std::size_t>(8, size - at));
          hash = absorb(hash, word);
        }
      },
      table.values);
  return hash;
}

}  // namespace partita::data
