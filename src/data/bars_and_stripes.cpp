#include "data/bars_and_stripes.hpp"

#include <functional>

namespace partita::data {
namespace {

Table images(BarsAndStripes const& set, Index count, std::function<Index(Index)> const& pattern) {
  Index const n = set.size;
  std::vector<float> bits;
  bits.reserve(count * n * n);
  for (Index i = 0; i < count; i++) {
    Index const k = pattern(i);
    bool const rows = k < Index{1} << n;
    Index const on = rows ? k : k - (Index{1} << n) + 1;
    for (Index r = 0; r < n; r++)
      for (Index c = 0; c < n; c++) bits.push_back(float(on >> (rows ? r : c) & 1));
  }
  return {"bars_and_stripes", count, {n, n}, std::move(bits)};
}

}  // namespace

Table bars_and_stripes(BarsAndStripes const& set) {
  return images(set, set.copies * set.patterns(), [n = set.patterns()](Index i) { return i % n; });
}

Table drawn_bars_and_stripes(BarsAndStripes const& set, random::Key key, Index number, Index points) {
  return images(set, points, [&](Index i) {
    auto const w = random::words(key, std::uint64_t(i), random::Stream::generated_data, std::uint64_t(number), 0);
    return Index(random::below(w.w[0], std::uint32_t(set.patterns())));
  });
}

}  // namespace partita::data
