#include <cmath>
#include <numeric>
#include <set>

#include "core/copy.hpp"
#include "data/batches.hpp"
#include "data/generated.hpp"
#include "support.hpp"

namespace partita::data {
namespace {

using test::failure;
using testing::HasSubstr;
using Floats = std::vector<float>;
random::Key const key = random::make_key(5);

// Rows (i, 10 i) for i = 0..n-1.
Table ramp(Index n) {
  Floats values;
  for (Index i = 0; i < n; i++) values.insert(values.end(), {float(i), float(10 * i)});
  return {"ramp", n, {2}, values};
}
Dataset dataset(Table table, DataOptions const& options = {}, Index test_rows = 0) {
  return Dataset(Source{std::move(table), test_rows, {}}, options, key);
}
std::vector<double> values(Dataset const& data, Item item) {
  std::vector<double> out(data.dimension());
  data.values(item, out.data());
  return out;
}

TEST(Scaling, Bytes) {
  Table const bytes{"bytes", 1, {3}, std::vector<std::uint8_t>{0, 51, 255}};
  DataOptions options;
  EXPECT_EQ(values(dataset(bytes), {}), (std::vector<double>{0, 51, 255}));
  options.scaling = "unit";
  EXPECT_EQ(values(dataset(bytes, options), {})[2], 1);
  EXPECT_NEAR(values(dataset(bytes, options), {})[1], 0.2, 1e-15);
  options.scaling = "symmetric";
  EXPECT_EQ(values(dataset(bytes, options), {})[0], -1);
  EXPECT_NEAR(values(dataset(bytes, options), {})[1], -0.6, 1e-15);
  options.scaling = "affine";
  options.scale = 2, options.offset = 1;
  EXPECT_EQ(values(dataset(bytes, options), {}), (std::vector<double>{1, 103, 511}));
}

TEST(Scaling, FloatsByTheTrainingItems) {
  DataOptions options;
  options.scaling = "unit";
  Dataset const unit = dataset(ramp(11), options, 1);  // the training items reach 90, the test item is (10, 100)
  EXPECT_NEAR(values(unit, unit.item(Split::test, 0))[1], 100. / 90, 1e-15);
  // From 3 to 5, neither end at 0.
  Table const off_centre{"off centre", 3, {1}, Floats{3, 4.5, 5}};
  EXPECT_EQ(dataset(off_centre, options).points(Split::train), (std::vector<double>{0, 0.75, 1}));
  options.scaling = "symmetric";
  EXPECT_EQ(dataset(off_centre, options).points(Split::train), (std::vector<double>{-1, 0.5, 1}));
  options.scaling = "standardize";
  Dataset const standard = dataset(ramp(1000), options);
  std::vector<double> const x = standard.points(Split::train);
  double mean = 0, square = 0;
  for (std::size_t i = 1; i < x.size(); i += 2) mean += x[i] / 1000, square += x[i] * x[i] / 1000;
  EXPECT_NEAR(mean, 0, 1e-13);
  EXPECT_NEAR(square, 1, 1e-13);
  Dataset const constant = dataset({"c", 2, {1}, Floats{3, 3}}, options);
  EXPECT_EQ(values(constant, {1, 0})[0], 0);
}

// Of 1e8 + a the digits of a are beyond single precision.
TEST(Scaling, LargeNumbersKeepTheirDigitsUntilTheyAreCentred) {
  std::vector<double> large;
  for (int i = 0; i < 50; i++) large.push_back(1e8 + 0.125 * i);
  DataOptions options;
  for (char const* scaling : {"standardize", "unit", "symmetric"}) {
    options.scaling = scaling;
    std::vector<double> const x = dataset({"large", 50, {1}, large}, options).points(Split::train);
    EXPECT_EQ(std::set<double>(x.begin(), x.end()).size(), 50u) << scaling;
    EXPECT_NEAR(x[49] - x[48], x[1] - x[0], 1e-6) << scaling;
  }
}

// Whatever the magnitude of double-precision data, scaling that may change it makes it fit.
TEST(Scaling, AnyRangeOfDoubleIsScaled) {
  std::vector<double> unit_range;
  for (int i = 0; i < 49; i++) unit_range.push_back(i % 7 / 6.);
  double const variance = 1. / 9;  // of 0, 1/6, ..., 1 in equal parts
  for (double unit : {1e-300, 1e-200, 1e-44, 1e200, 1e307}) {
    std::vector<double> values;
    for (double x : unit_range) values.push_back(unit * (30 * x - 15));
    DataOptions options;
    for (auto const& [scaling, wanted] : {std::pair{"standardize", 1.}, {"unit", variance}, {"symmetric", 4 * variance}}) {
      options.scaling = scaling;
      Dataset const data = dataset({"any", 49, {1}, values}, options);
      EXPECT_NEAR(data.moments().variance[0], wanted, 1e-13) << scaling << " " << unit;
      EXPECT_TRUE(data.warnings().empty());
    }
  }
}

TEST(Scaling, WhatThisBuildCannotHoldIsRefusedAfterScaling) {
  DataOptions options;
  options.scaling = "affine", options.scale = 0;
  EXPECT_THAT(failure(ExitCode::usage, [&] { dataset(ramp(2), options); }), HasSubstr("data.scale = 0"));
  if (sizeof(Real) > sizeof(float)) return;
  options.scaling = "affine", options.scale = 1e30, options.offset = 0;
  EXPECT_THAT(failure(ExitCode::data,
                      [&] {
                        dataset({"large", 2, {2}, std::vector<double>{0, 1, 1e20, 4}}, options);
                      }),
              testing::AllOf(HasSubstr("large: row 1, entry 0 is 1e+20, and 1e+50 after scaling"), HasSubstr("\"standardize\"")));
  EXPECT_THAT(failure(ExitCode::data,
                      [&] {
                        dataset({"large", 2, {1}, std::vector<double>{0, 1e200}});
                      }),
              HasSubstr("row 1, entry 0 is 1e+200"));
}

// One entry is exact, one loses all its digits, one a few that are less than noise.
TEST(Scaling, LostDigitsAreSaid) {
  if (sizeof(Real) > sizeof(float)) GTEST_SKIP() << "this build holds them";
  std::vector<double> values;
  for (int i = 0; i < 100; i++) values.insert(values.end(), {i % 3 + 16777000., 1e9 + 1e-3 * i, 1e3 + std::sqrt(double(i))});
  Dataset const data = dataset({"digits", 100, {3}, values});
  ASSERT_EQ(data.warnings().size(), 1u);
  EXPECT_THAT(data.warnings()[0], testing::AllOf(HasSubstr("digits: single precision moves 1 of 3 entries"), HasSubstr("entry 1 by"),
                                                 HasSubstr("data.scaling = \"standardize\"")));
  DataOptions options;
  options.scaling = "standardize";
  EXPECT_TRUE(dataset({"digits", 100, {3}, values}, options).warnings().empty());
  // What one scale for all entries makes of a small one beside a large one.
  std::vector<double> both;
  for (int i = 0; i < 100; i++) both.insert(both.end(), {1e9 * i, 1e-3 * i});
  options.scaling = "symmetric";
  EXPECT_THAT(dataset({"both", 100, {2}, both}, options).warnings(), testing::ElementsAre(HasSubstr("entry 1 by")));
  options.scaling = "unit";
  EXPECT_TRUE(dataset({"both", 100, {2}, both}, options).warnings().empty());
  // An outlier hides nothing, nor do test items that lie elsewhere.
  std::vector<double> far, beside;
  for (int i = 0; i < 100; i++) far.push_back(i == 7 ? 0 : 1e8 + 1e-2 * i), beside.push_back(i < 60 ? 1e-2 * i : 1e8 + 1e-2 * i);
  EXPECT_EQ(dataset({"far", 100, {1}, far}).warnings().size(), 1u);
  EXPECT_THAT(dataset({"beside", 100, {1}, beside}, {}, 40).warnings(), testing::ElementsAre(HasSubstr("1 of 1 entries")));
  // Bytes that an offset drowns.
  options.scaling = "affine", options.offset = 1e9;
  Table const bytes{"bytes", 3, {1}, std::vector<std::uint8_t>{0, 1, 2}};
  EXPECT_EQ(dataset(bytes, options).warnings().size(), 1u);
  // Numbers that single precision calls 0.
  EXPECT_EQ(dataset({"tiny", 2, {1}, std::vector<double>{0, 1e-200}}).warnings().size(), 1u);
}

TEST(Scaling, BooleansHaveTheirOwnRange) {
  DataOptions options;
  options.scaling = "symmetric";
  Table flags{"flags", 1, {2}, std::vector<std::uint8_t>{0, 1}};
  flags.highest_byte = 1;
  EXPECT_EQ(dataset(flags, options).points(Split::train), (std::vector<double>{-1, 1}));
}

// 0 and 1 but for a -3 in the test rows, which have a file of their own.
TEST(Outliers, AreCountedAndTheFirstIsNamed) {
  Table const table{"train.csv", 3, {2}, Floats{0, 1, 1, 0, 1, -3}};
  Source source{table, 1, {}};
  source.test_source = "test.csv";
  Dataset const data(source, {}, key);
  auto const found = data.outliers({0, 1});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->first, "test.csv: row 0, entry 1 is -3");
  EXPECT_EQ(found->count, 1);
  EXPECT_EQ(found->of, 6);
  EXPECT_EQ(found->lowest, -3);
  EXPECT_EQ(found->highest, 1);
  EXPECT_TRUE(found->whole);
  source.test_key = "data.test_path";  // where the problem is shown
  EXPECT_EQ(Dataset(source, {}, key).outliers({0, 1})->first, "data.test_path: test.csv: row 0, entry 1 is -3");
  EXPECT_FALSE(data.outliers({-3, 0, 1}).has_value());
  DataOptions options;
  options.binarize = "threshold";
  EXPECT_FALSE(Dataset(source, options, key).outliers({0, 1}).has_value());
}

TEST(Signs, ReplaceZerosAndOnes) {
  Dataset data = dataset({"bits", 1, {3}, Floats{0, 1, 1}});
  data.use_sign_values();
  EXPECT_EQ(data.points(Split::train), (std::vector<double>{-1, 1, 1}));
  EXPECT_EQ(data.moments().mean, (std::vector<double>{-1, 1, 1}));
}

// A restart compares them: every file, none of generated data, whatever the names are.
TEST(Contents, AreOfEachFile) {
  Source source{ramp(5), 2, {}};
  source.test_source = "test.csv";
  auto const before = Dataset(source, {}, key).contents();
  ASSERT_EQ(before.size(), 2u);
  EXPECT_EQ(before[1].source, "test.csv");
  source.test_source = "moved.csv", source.table.source = "moved, too";
  auto after = Dataset(source, {}, key).contents();
  EXPECT_EQ(after[0].hash, before[0].hash);
  EXPECT_EQ(after[1].hash, before[1].hash);
  std::get<Floats>(source.table.values)[7] = -1;  // of the first test row
  after = Dataset(source, {}, key).contents();
  EXPECT_EQ(after[0].hash, before[0].hash);
  EXPECT_NE(after[1].hash, before[1].hash);
  EXPECT_TRUE(Dataset({ramp(5), 0, [](Index, Index n) { return ramp(n); }}, {}, key).contents().empty());
}

TEST(Binarize, Threshold) {
  DataOptions options;
  options.binarize = "threshold";
  options.threshold = 15;
  EXPECT_EQ(values(dataset(ramp(3), options), {2, 0}), (std::vector<double>{0, 1}));
}

TEST(Binarize, ThresholdItselfIsZero) {
  DataOptions options;
  options.binarize = "threshold";
  options.threshold = 20;  // row 2 is (2, 20), row 3 (3, 30)
  EXPECT_EQ(values(dataset(ramp(4), options), {2, 0}), (std::vector<double>{0, 0}));
  EXPECT_EQ(values(dataset(ramp(4), options), {3, 0}), (std::vector<double>{0, 1}));
}

// Of the training items as they are shown, scaling included: mean and variance (over n, not n - 1) of 3 i + 1 and 30 i + 1.
TEST(Moments, AreThoseOfTheTrainingItems) {
  DataOptions options;
  options.scaling = "affine";
  options.scale = 3, options.offset = 1;
  Dataset const data = dataset(ramp(7), options, 2);  // rows 0 .. 4 train: i has mean 2 and variance 2
  auto const m = data.moments();
  EXPECT_NEAR(m.mean[0], 7, 1e-12);
  EXPECT_NEAR(m.mean[1], 61, 1e-12);
  EXPECT_NEAR(m.variance[0], 9 * 2, 1e-12);
  EXPECT_NEAR(m.variance[1], 900 * 2, 1e-10);
}

TEST(Binarize, StochasticIsKeyedByItemAndEpoch) {
  DataOptions options;
  options.binarize = "stochastic";
  Table const grey{"grey", 2, {5000}, Floats(10000, 0.3f)};
  Dataset const data = dataset(grey, options);
  auto const a = values(data, {0, 0}), again = values(data, {0, 0}), epoch = values(data, {0, 1}), other = values(data, {1, 0});
  EXPECT_EQ(a, again);
  for (auto const* x : {&a, &epoch, &other}) {
    double const ones = std::accumulate(x->begin(), x->end(), 0.);
    EXPECT_NEAR(ones, 1500, 4 * std::sqrt(5000 * 0.3 * 0.7));
  }
  double both = 0;
  for (std::size_t d = 0; d < a.size(); d++) both += a[d] * epoch[d];
  EXPECT_NEAR(both, 450, 4 * std::sqrt(5000 * 0.09 * 0.91));
  EXPECT_THAT(failure(ExitCode::data, [&] { dataset(ramp(3), options); }), HasSubstr("row 1, entry 1 is 10 after scaling"));
}

TEST(Splits, ShareOutEveryRowOnce) {
  DataOptions options;
  options.validation_fraction = 0.2;
  options.test_fraction = 0.1;
  Dataset const data = dataset(ramp(100), options);
  EXPECT_EQ(data.size(Split::train), 70);
  EXPECT_EQ(data.size(Split::validation), 20);
  EXPECT_EQ(data.size(Split::test), 10);
  std::set<Index> rows;
  for (Split split : {Split::train, Split::validation, Split::test})
    for (Index i = 0; i < data.size(split); i++) rows.insert(data.item(split, i).row);
  EXPECT_EQ(rows.size(), 100u);
  EXPECT_NE(data.item(Split::test, 0).row, 90);  // not simply the last rows
  options.validation_fraction = 0.95;
  EXPECT_THAT(
      failure(ExitCode::usage, [&] { dataset(ramp(100), options); }),
      HasSubstr("data.validation_fraction = 0.95 and data.test_fraction = 0.1 leave no training item of 100 rows of ramp; lower them"));
}

TEST(Splits, TestRowsOfTheirOwn) {
  DataOptions options;
  options.validation_fraction = 0.25;
  Dataset const data = dataset(ramp(12), options, 4);
  EXPECT_EQ(data.size(Split::train), 6);
  EXPECT_EQ(data.size(Split::validation), 2);
  EXPECT_EQ(data.size(Split::test), 4);
  for (Index i = 0; i < 4; i++) EXPECT_EQ(data.item(Split::test, i).row, 8 + i);
  for (Index i = 0; i < 6; i++) EXPECT_LT(data.item(Split::train, i).row, 8);
}

TEST(HeldOut, PairsOfFileDataAreDisjoint) {
  Dataset const data = dataset(ramp(30), {}, 20);
  std::set<double> first;
  for (Index set : {0, 1}) {
    std::vector<double> const x = data.held_out(set, 10);
    for (std::size_t i = 0; i < x.size(); i += 2) {
      EXPECT_GE(x[i], 10);
      EXPECT_TRUE(first.insert(x[i]).second);
    }
  }
  EXPECT_NE(data.held_out(0, 10), data.held_out(2, 10));
  EXPECT_THAT(failure(ExitCode::usage, [&] { data.held_out(0, 11); }),
              HasSubstr("two sets of 11 points are needed, but there are 20 test items"));
}

TEST(HeldOut, GeneratedSetsAreFresh) {
  TwoMoons const moons;
  DataOptions options;
  options.scaling = "affine", options.scale = 2;
  Dataset const data(Source{generate(moons, key, 0, 50), 0, [=](Index set, Index n) { return generate(moons, key, set, n); }}, options,
                     key);
  std::vector<double> const train = data.points(Split::train), held = data.held_out(0, 50);
  EXPECT_NE(train, held);
  EXPECT_NEAR(held[0], 2 * std::get<Floats>(generate(moons, key, 1, 1).values)[0], 1e-6);
}

TEST(NonFinite, IsRefused) {
  EXPECT_THAT(failure(ExitCode::data, [] { dataset({"x.csv", 1, {1}, Floats{NAN}}); }), HasSubstr("x.csv: 1 of 1 values are NaN"));
}

TEST(Batches, EachEpochHasEachItemOnce) {
  Dataset const data = dataset(ramp(10));
  Batches const batches(data, 4, key);
  std::vector<Index> order;
  for (Index update = 0; update < 5; update++)
    for (Index j = 0; j < 4; j++) {
      Item const item = batches.item(update, j);
      EXPECT_EQ(item.epoch, std::ssize(order) / 10);
      order.push_back(item.row);
    }
  std::vector<Index> const first(order.begin(), order.begin() + 10), second(order.begin() + 10, order.end());
  EXPECT_EQ(std::set<Index>(first.begin(), first.end()).size(), 10u);
  EXPECT_EQ(std::set<Index>(second.begin(), second.end()).size(), 10u);
  EXPECT_NE(first, second);
  EXPECT_EQ(batches.epoch(5), 2);
  EXPECT_THAT(failure(ExitCode::data, [&] { Batches(data, 11, key); }), HasSubstr("10 training items are fewer than train.batch = 11"));
}

// Of generated data it is the deck that says how many there are: no file is wrong.
TEST(Batches, TooFewGeneratedItemsAreAMistakeOfTheDeck) {
  TwoMoons const moons;
  Dataset const data(Source{generate(moons, key, 0, 5), 0, [=](Index set, Index n) { return generate(moons, key, set, n); }}, {}, key);
  EXPECT_TRUE(data.generated());
  EXPECT_FALSE(dataset(ramp(5)).generated());
  EXPECT_THAT(failure(ExitCode::usage, [&] { Batches(data, 16, key); }), HasSubstr("5 training items are fewer than train.batch = 16"));
}

// The same global batch however the tiles are dealt; lanes beyond the tile's chains repeat its first.
TEST(Batches, TilesDoNotDependOnRanks) {
  Dataset const data = dataset(ramp(500));
  Batches const batches(data, 100, key);
  Tiling const tiling{100, 32};  // tiles of 32, 32, 32, 4
  for (int ranks : {1, 2, 3})
    for (int rank = 0; rank < ranks; rank++) {
      TileRange const mine = share_of_tiles(tiling.tiles(), rank, ranks);
      TileStorage const storage("storage", mine.count, 2, tiling.pitch());
      batches.fill(storage, tiling, mine, 3);
      auto const host = values_on_host(storage);
      for (Index tile = mine.first; tile < mine.end(); tile++)
        for (Index lane = 0; lane < tiling.lanes(tile); lane++) {
          Index const j = tiling.first_chain(tile) + (lane < tiling.chains_in(tile) ? lane : 0);
          Index const row = batches.item(3, j).row;
          EXPECT_EQ(host(tile - mine.first, 0, lane), Real(row));
          EXPECT_EQ(host(tile - mine.first, 1, lane), Real(10 * row));
        }
    }
}

}  // namespace
}  // namespace partita::data
