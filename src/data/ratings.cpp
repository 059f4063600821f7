#include "data/ratings.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/require.hpp"
#include "data/csv.hpp"
#include "data/permutation.hpp"

namespace partita::data {
namespace {

std::vector<Index> distinct(std::vector<Index> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

template <class T>
Index place_in(std::vector<T> const& ascending, T value) {
  return std::lower_bound(ascending.begin(), ascending.end(), value) - ascending.begin();
}

// Requires that no user rates an item twice: the two ratings could end up on both sides of the split.
void require_single(RatingList const& list) {
  std::vector<std::size_t> order(list.value.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(list.user[a], list.item[a]) < std::pair(list.user[b], list.item[b]);
  });
  auto const twice = std::adjacent_find(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return list.user[a] == list.user[b] && list.item[a] == list.item[b];
  });
  if (twice == order.end()) return;
  std::size_t const a = twice[0], b = twice[1];
  fail(ExitCode::data,
       fmt::format("{}:{}: user {} has rated item {} before ({} {}); keep one of the two", list.source, list.at[b], list.user[b],
                   list.item[b], list.place, list.at[a]),
       FailedOn::all_ranks);
}

std::vector<double> distinct_levels(RatingList const& list, std::vector<Index> const& train) {
  std::vector<double> levels;
  for (Index n : train) {
    double const value = list.value[n];
    auto const at = std::lower_bound(levels.begin(), levels.end(), value);
    if (at == levels.end() || *at != value) levels.insert(at, value);
    require_all(levels.size() <= 255, ExitCode::data, "{}: more than 255 different ratings; round them (half stars have 10 levels)",
                list.source);
  }
  return levels;
}

}  // namespace

RatingList read_ratings_csv(std::string const& path, Index limit) {
  RatingList list{path, "line", {}, {}, {}, {}};
  char separator = 0;
  for_each_line(path, [&](std::string_view content, Index line) {
    if (separator == 0) separator = separator_of(content);
    auto const row = fields(content, separator);
    double first;
    if (line == 1 && parse(row[0].text, first) != std::errc{}) return true;  // names
    std::string const place = fmt::format("{}:{}", path, line);
    require_all(row.size() >= 3, ExitCode::data, "{}: {} columns found, at least 3 wanted: user, item, rating; correct or remove this line",
                place, row.size());
    list.user.push_back(number<Index>(row[0], place, ", the id of a user"));
    list.item.push_back(number<Index>(row[1], place, ", the id of an item"));
    list.value.push_back(number<double>(row[2], place, ", a rating"));
    require_all(std::isfinite(list.value.back()), ExitCode::data, "{}:{}: a rating of {} is not finite; remove the line", place,
                row[2].column, list.value.back());
    list.at.push_back(line);
    return limit == 0 || list.size() < limit;
  });
  require_all(list.size() > 0, ExitCode::data, "{}: empty, no line of user, item, rating; name a file that has some", path);
  return list;
}

RatingTable split_ratings(RatingList const& list, double held_out_fraction, random::Key key) {
  require_single(list);
  Index const n = list.size(), count = std::llround(held_out_fraction * double(n));
  require_all(count < n, ExitCode::usage, "{}: data.held_out_fraction = {} leaves none of {} ratings for training; lower it", list.source,
              held_out_fraction, n);
  Permutation const order(n, key, random::Stream::rating_split);
  std::vector<Index> train, held_out;
  for (Index i = 0; i < n; i++) (i < count ? held_out : train).push_back(order(i));

  auto const user = [&](Index i) { return list.user[i]; };
  auto const item = [&](Index i) { return list.item[i]; };
  auto const value = [&](Index i) { return list.value[i]; };
  std::vector<Index> trained;
  for (Index i : train) trained.push_back(user(i));
  Ratings ratings{distinct(trained), distinct(list.item), distinct_levels(list, train), {}};
  auto const rows = std::ssize(ratings.users), columns = std::ssize(ratings.items);
  auto const row_of = [&, with_row = ratings.users](Index id) {
    Index const place = place_in(with_row, id);
    return place < rows && with_row[place] == id ? place : -1;
  };

  std::vector<std::uint8_t> codes(rows * columns);
  for (Index i : train)
    codes[row_of(user(i)) * columns + place_in(ratings.items, item(i))] = static_cast<std::uint8_t>(place_in(ratings.levels, value(i)) + 1);

  std::vector<Index> untrained;
  for (Index i : held_out)
    if (row_of(user(i)) < 0) untrained.push_back(user(i));
  untrained = distinct(untrained);
  ratings.users.insert(ratings.users.end(), untrained.begin(), untrained.end());
  for (Index i : held_out) {
    Index const row = row_of(user(i));
    ratings.held_out.push_back({row >= 0 ? row : rows + place_in(untrained, user(i)), place_in(ratings.items, item(i)), value(i)});
  }
  std::sort(ratings.held_out.begin(), ratings.held_out.end(),
            [](auto const& a, auto const& b) { return std::pair(a.user, a.item) < std::pair(b.user, b.item); });
  return {Table{list.source, rows, {columns}, std::move(codes)}, std::move(ratings)};
}

}  // namespace partita::data
