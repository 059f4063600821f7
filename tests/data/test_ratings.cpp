#include <hdf5.h>

#include <algorithm>
#include <set>

#include "core/copy.hpp"
#include "data/batches.hpp"
#include "data/ratings.hpp"
#include "support.hpp"

namespace partita::data {
namespace {

using test::failure;
using test::write_file;
using testing::AllOf;
using testing::HasSubstr;
using Codes = std::vector<std::uint8_t>;
using Indices = std::vector<Index>;

Codes const& codes(RatingTable const& t) { return std::get<Codes>(t.table.values); }

// 40 users rate 30 items, each pair with probability 1/2, with half stars that depend on the pair; ids are no row numbers.
RatingList some_ratings(random::Key key = random::make_key(5)) {
  RatingList list{"made", "line", {}, {}, {}, {}};
  for (Index u = 0; u < 40; u++)
    for (Index i = 0; i < 30; i++) {
      auto const w = random::words(key, std::uint64_t(30 * u + i), random::Stream::test, 0, 0);
      if (w.w[0] % 2 == 0) continue;
      list.user.push_back(1000 - 7 * u), list.item.push_back(3 * i - 20), list.value.push_back(0.5 * double(1 + w.w[1] % 10));
      list.at.push_back(list.size());
    }
  return list;
}

void write_column(hid_t file, char const* name, hid_t type, hsize_t count, void const* values) {
  hid_t const space = H5Screate_simple(1, &count, nullptr),
              dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
  H5Dclose(dataset), H5Sclose(space);
}

TEST(Ratings, CsvWithAndWithoutNamesAndFurtherColumns) {
  for (char const* text : {"userId,movieId,rating,timestamp\n7,31,2.5,12607\n-3, 1029 ,3.0,12608\r\n\n", "7,31,2.5\n-3,1029,3\n"}) {
    RatingList const list = read_ratings_csv(write_file("ratings.csv", text), 0);
    EXPECT_EQ(list.user, (Indices{7, -3}));
    EXPECT_EQ(list.item, (Indices{31, 1029}));
    EXPECT_EQ(list.value, (std::vector<double>{2.5, 3}));
  }
  EXPECT_EQ(read_ratings_csv(write_file("ratings.csv", "1,1,1\n2,2,2\n3,3,3\n"), 2).size(), 2);
}

TEST(Ratings, CsvErrorsSayWhere) {
  auto const message = [](std::string const& content) {
    return failure(ExitCode::data, [&] { read_ratings_csv(write_file("bad.csv", content), 0); });
  };
  EXPECT_THAT(failure(ExitCode::data, [] { read_ratings_csv("/nowhere.csv", 0); }), HasSubstr("/nowhere.csv: no such file"));
  EXPECT_THAT(message("user,item,rating\n1,2,3\n4,five,6\n"), HasSubstr("bad.csv:3:3: \"five\" is not a whole number, the id of an item"));
  EXPECT_THAT(message("1,2,3\n1.5,2,3\n"), HasSubstr(":2:1: \"1.5\" is not a whole number, the id of a user"));
  EXPECT_THAT(message("1,2,\n"), HasSubstr(":1:5: \"\" is not a number, a rating"));
  EXPECT_THAT(message("1,2,3\n4,5\n"), HasSubstr(":2: 2 columns found, at least 3 wanted: user, item, rating"));
  EXPECT_THAT(message("1,2,nan\n"), HasSubstr(":1:5: a rating of nan"));
  EXPECT_THAT(message("99999999999999999999,2,3\n"),
              HasSubstr(":1:1: \"99999999999999999999\" is out of range; write a whole number of at most 9223372036854775807"));
  EXPECT_THAT(message("user,item,rating\n"), HasSubstr("empty, no line of user, item, rating"));
}

TEST(Ratings, Hdf5ColumnsOfAnyType) {
  std::string const path = test::temporary("ratings.h5");
  hid_t const file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  std::vector<std::uint16_t> const user{7, 3, 7};
  std::vector<std::int64_t> const item{1, 2, -9};
  std::vector<float> const rating{0.5f, 4, 1};
  write_column(file, "user", H5T_NATIVE_UINT16, 3, user.data());
  write_column(file, "item", H5T_NATIVE_INT64, 3, item.data());
  write_column(file, "rating", H5T_NATIVE_FLOAT, 3, rating.data());
  H5Gclose(H5Gcreate2(file, "part", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  write_column(file, "part/user", H5T_NATIVE_FLOAT, 3, rating.data());
  H5Gclose(H5Gcreate2(file, "square", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  hsize_t const extents[2] = {1, 3};
  hid_t const space = H5Screate_simple(2, extents, nullptr);
  H5Dclose(H5Dcreate2(file, "square/user", H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space), H5Fclose(file);
  EXPECT_TRUE(is_hdf5(path));
  EXPECT_FALSE(is_hdf5(write_file("ratings.csv", "1,2,3\n")));
  RatingList const list = read_ratings_hdf5(path, "", 0);
  EXPECT_EQ(list.user, (Indices{7, 3, 7}));
  EXPECT_EQ(list.item, (Indices{1, 2, -9}));
  EXPECT_EQ(list.value, (std::vector<double>{0.5, 4, 1}));
  EXPECT_EQ(read_ratings_hdf5(path, "", 1).size(), 1);
  EXPECT_THAT(failure(ExitCode::data, [&] { read_ratings_hdf5(path, "part", 0); }),
              HasSubstr("\"part/user\": its elements are floating-point numbers; wanted integers, which are ids: write them as such"));
  EXPECT_THAT(failure(ExitCode::data, [&] { read_ratings_hdf5(path, "square", 0); }),
              HasSubstr("\"square/user\": extents [1, 3]; wanted one axis, with an entry for each rating: write it flat"));
  EXPECT_THAT(failure(ExitCode::data, [&] { read_ratings_hdf5(path, "none", 0); }),
              AllOf(HasSubstr("no dataset \"none/user\""), HasSubstr("item [3]")));
}

TEST(Ratings, IdsByRankAndLevelsByValue) {
  RatingList list{"made", "line", {50, -1, 50, 8}, {900, 20, 3, 900}, {3.5, 0.5, 5, 3.5}, {1, 2, 3, 4}};
  RatingTable const t = split_ratings(list, 0, random::make_key(1));
  EXPECT_EQ(t.ratings.users, (Indices{-1, 8, 50}));
  EXPECT_EQ(t.ratings.items, (Indices{3, 20, 900}));
  EXPECT_EQ(t.ratings.levels, (std::vector<double>{0.5, 3.5, 5}));
  EXPECT_EQ(t.table.rows, 3);
  EXPECT_EQ(t.table.shape, (Indices{3}));
  EXPECT_EQ(codes(t), (Codes{0, 1, 0, 0, 0, 2, 3, 0, 2}));
  EXPECT_TRUE(t.ratings.held_out.empty());
}

// Every rating is in the table or held out, never both, and the share is that asked for.
TEST(Ratings, SplitIsAPartition) {
  RatingList const list = some_ratings();
  for (double fraction : {0.1, 0.25, 0.5}) {
    RatingTable const t = split_ratings(list, fraction, random::make_key(3));
    Index const columns = t.table.dimension();
    std::set<std::pair<Index, Index>> held_out;
    for (auto const& h : t.ratings.held_out) held_out.insert({t.ratings.users[h.user], t.ratings.items[h.item]});
    EXPECT_EQ(std::ssize(held_out), std::llround(fraction * double(list.size())));
    Index in_table = 0;
    for (std::uint8_t c : codes(t)) in_table += c > 0;
    EXPECT_EQ(in_table + std::ssize(held_out), list.size());
    for (Index n = 0; n < list.size(); n++) {
      auto const at = std::size_t(n);
      Index const row = std::find(t.ratings.users.begin(), t.ratings.users.end(), list.user[at]) - t.ratings.users.begin(),
                  column = std::lower_bound(t.ratings.items.begin(), t.ratings.items.end(), list.item[at]) - t.ratings.items.begin();
      Index const code = row < t.table.rows ? codes(t)[row * columns + column] : 0;
      ASSERT_EQ(code == 0, held_out.count({list.user[at], list.item[at]}) == 1);
      ASSERT_TRUE(code == 0 || t.ratings.levels[code - 1] == list.value[at]);
    }
  }
}

TEST(Ratings, SplitIsOfTheSeedAlone) {
  RatingList const list = some_ratings();
  auto const split = [&](std::uint64_t seed) { return split_ratings(list, 0.3, random::make_key(seed)); };
  EXPECT_EQ(codes(split(1)), codes(split(1)));
  EXPECT_NE(codes(split(1)), codes(split(2)));
}

TEST(Ratings, UsersWithoutTrainingRatingsHaveNoRow) {
  RatingList const list{"made", "line", {1, 2, 3, 4}, {1, 1, 1, 1}, {1, 2, 1, 2}, {1, 2, 3, 4}};
  RatingTable const t = split_ratings(list, 0.5, random::make_key(1));
  EXPECT_EQ(t.table.rows, 2);
  EXPECT_EQ(codes(t).size(), 2u);
  ASSERT_EQ(t.ratings.users.size(), 4u);
  ASSERT_EQ(t.ratings.held_out.size(), 2u);
  for (auto const& h : t.ratings.held_out) {
    EXPECT_GE(h.user, 2);
    EXPECT_EQ(h.value, t.ratings.users[h.user] % 2 == 0 ? 2 : 1);
  }
}

TEST(Ratings, MistakesAreRefused) {
  RatingList const twice{"made", "line", {3, 1, 3}, {7, 7, 7}, {1, 2, 3}, {4, 5, 9}};
  EXPECT_THAT(failure(ExitCode::data, [&] { split_ratings(twice, 0, random::make_key(1)); }),
              HasSubstr("made:9: user 3 has rated item 7 before (line 4)"));
  RatingList const few{"made", "line", {3}, {7}, {1}, {1}};
  EXPECT_THAT(failure(ExitCode::usage, [&] { split_ratings(few, 0.9, random::make_key(1)); }), HasSubstr("leaves none of 1 ratings"));
  RatingList many{"made", "line", {}, {}, {}, {}};
  for (Index n = 0; n < 256; n++)
    many.user.push_back(n), many.item.push_back(1), many.value.push_back(0.001 * double(n)), many.at.push_back(n);
  EXPECT_THAT(failure(ExitCode::data, [&] { split_ratings(many, 0, random::make_key(1)); }), HasSubstr("more than 255 different ratings"));
}

// What training sees does not depend on held-out ratings: table, hash and minibatches keep their bits when all of these change, to values
// that no training rating has.
TEST(Ratings, HeldOutRatingsNeverReachTraining) {
  RatingList list = some_ratings();
  random::Key const key = random::make_key(4);
  auto const dataset = [&] {
    RatingTable t = split_ratings(list, 0.2, key);
    return Dataset({std::move(t.table), 0, {}, std::make_shared<Ratings const>(std::move(t.ratings))}, {}, key);
  };
  Dataset const before = dataset();
  for (auto const& h : before.ratings()->held_out)
    for (std::size_t n = 0; n < list.value.size(); n++)
      if (list.user[n] == before.ratings()->users[h.user] && list.item[n] == before.ratings()->items[h.item]) list.value[n] += 100;
  Dataset const after = dataset();
  ASSERT_EQ(after.ratings()->held_out.size(), before.ratings()->held_out.size());
  for (std::size_t n = 0; n < before.ratings()->held_out.size(); n++)
    EXPECT_EQ(after.ratings()->held_out[n].value, before.ratings()->held_out[n].value + 100);
  EXPECT_EQ(after.contents()[0].hash, before.contents()[0].hash);
  EXPECT_NE(after.contents()[1].hash, before.contents()[1].hash);  // which a restart compares, too
  EXPECT_EQ(after.ratings()->levels, before.ratings()->levels);
  EXPECT_EQ(after.points(Split::train), before.points(Split::train));
  Tiling const tiling{20, 64};
  TileStorage const x("x", 1, before.dimension(), tiling.pitch()), y("y", 1, before.dimension(), tiling.pitch());
  for (Index update : {0, 1, 5}) {
    Batches(before, 20, key).fill(x, tiling, {0, 1}, update);
    Batches(after, 20, key).fill(y, tiling, {0, 1}, update);
    auto const a = values_on_host(x), b = values_on_host(y);
    EXPECT_TRUE(std::equal(a.data(), a.data() + a.size(), b.data()));
  }
}

}  // namespace
}  // namespace partita::data
