#include <algorithm>
#include <cmath>
#include <map>

#include "comm/communicator.hpp"
#include "data/load.hpp"
#include "deck/document.hpp"
#include "support.hpp"

namespace partita::data {
namespace {

using test::failure;
using testing::HasSubstr;

// The data set of a deck's [data] section.
Dataset load_deck(std::string const& keys) {
  static deck::Catalogue const catalogue{{section()}};
  deck::Document const document = deck::read("[data]\n" + keys, "deck.toml", catalogue);
  return load(document.at("data"), random::make_key(1), Communicator::world());
}
// One path for all ranks, seen by rank 0 alone.
std::string path_of_root(std::string const& name, std::string const& content) {
  Communicator const comm = Communicator::world();
  std::string path = comm.is_root() ? test::write_file(name, content) : "";
  comm.broadcast(path);
  return path;
}

TEST(Load, RootReadsAndAllRanksHold) {
  std::string const path = path_of_root("all.idx", test::idx_bytes(0x08, {3, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
  Dataset const data = load_deck("type = \"idx\"\npath = \"" + path + "\"\ntest_path = \"" + path + "\"\nlimit = 2\n");
  EXPECT_EQ(data.size(Split::train), 2);
  EXPECT_EQ(data.size(Split::test), 3);
  EXPECT_EQ(data.shape(), (std::vector<Index>{2, 2}));
  EXPECT_EQ(data.bytes(), 20u);
  EXPECT_EQ(data.points(Split::train), (std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(data.source(), path);
}

TEST(Load, EveryRankHearsOfABadFile) {
  std::string const path = path_of_root("bad.csv", "1,2\n3\n");
  EXPECT_THAT(failure(ExitCode::data, [&] { load_deck("type = \"csv\"\npath = \"" + path + "\"\n"); }),
              HasSubstr(":2: 1 columns found, 2 wanted"));
}

// Whatever is wrong with test rows, the message begins with the key that names them.
TEST(Load, BadTestRowsAreSaidOfTheirKey) {
  std::string const good = path_of_root("good.csv", "1,2\n3,4\n");
  auto const message = [&](std::string const& test) {
    return failure(ExitCode::data, [&] { load_deck("type = \"csv\"\npath = \"" + good + "\"\ntest_path = \"" + test + "\"\n"); });
  };
  using testing::StartsWith;
  EXPECT_THAT(message("/nowhere.csv"), StartsWith("data.test_path: /nowhere.csv: no such file"));
  for (auto const& [content, reason] :
       {std::pair{"1,nan\n", ": 1 of 2 values are NaN"}, {"1,2,3\n", ": rows of shape [3], but those of"}, {"", ": empty"}}) {
    std::string const path = path_of_root("test.csv", content);
    EXPECT_THAT(message(path), StartsWith("data.test_path: " + path + reason));
  }
  EXPECT_THAT(failure(ExitCode::data, [] { load_deck("type = \"csv\"\npath = \"/nowhere.csv\"\n"); }), StartsWith("/nowhere.csv"));
}

TEST(Load, GeneratedDataNeedNoFile) {
  static deck::Catalogue const catalogue{{section()}};
  auto const generated = [](std::string const& keys) {
    return is_generated(deck::read("[data]\n" + keys, "deck.toml", catalogue).at("data"));
  };
  EXPECT_TRUE(generated("type = \"two_moons\"\n"));
  EXPECT_TRUE(generated("type = \"bars_and_stripes\"\n"));
  EXPECT_FALSE(generated("type = \"csv\"\npath = \"a.csv\"\n"));
}

TEST(Load, RatingsOnAllRanks) {
  std::string const path = path_of_root("ratings.csv", "user,item,rating\n5,1,2\n5,2,4\n6,1,4\n6,2,1\n");
  Dataset const data = load_deck("type = \"ratings\"\npath = \"" + path + "\"\nheld_out_fraction = 0.25\n");
  ASSERT_NE(data.ratings(), nullptr);
  EXPECT_EQ(data.ratings()->users, (std::vector<Index>{5, 6}));
  EXPECT_EQ(data.ratings()->items, (std::vector<Index>{1, 2}));
  EXPECT_EQ(data.ratings()->held_out.size(), 1u);
  EXPECT_EQ(data.size(Split::train), 2);
  auto const x = data.points(Split::train);
  EXPECT_EQ(std::count(x.begin(), x.end(), 0.), 1);
  EXPECT_THAT(failure(ExitCode::usage, [&] { load_deck("type = \"ratings\"\nscaling = \"unit\"\npath = \"" + path + "\"\n"); }),
              HasSubstr("scaling"));
  EXPECT_EQ(load_deck("type = \"two_moons\"\n").ratings(), nullptr);
}

TEST(Load, GeneratedSetsByName) {
  for (char const* type : {"two_moons", "eight_gaussians", "rings", "checkerboard", "pinwheel", "swiss_roll", "two_spirals"}) {
    Dataset const data = load_deck(std::string("type = \"") + type + "\"\npoints = 100\nlimit = 60\nvalidation_fraction = 0.5\n");
    EXPECT_EQ(data.size(Split::train), 30);
    EXPECT_EQ(data.dimension(), 2);
    EXPECT_EQ(data.source(), type);
    EXPECT_EQ(data.held_out(0, 500).size(), 1000u);
  }
}

// The 14 patterns of 3 x 3, in their order; fresh ones are drawn from these.
TEST(Load, BarsAndStripes) {
  Dataset const data = load_deck("type = \"bars_and_stripes\"\n");
  EXPECT_EQ(data.shape(), (std::vector<Index>{3, 3}));
  auto const points = data.points(Split::train), drawn = data.held_out(0, 7000);
  std::map<std::vector<double>, Index> found;
  for (auto at = points.begin(); at != points.end(); at += 9) EXPECT_TRUE(found.insert({{at, at + 9}, 0}).second) << "twice";
  EXPECT_EQ(found.size(), 14u);
  for (auto const& [p, drawn_before] : found) {
    bool rows = true, columns = true;
    for (std::size_t k = 0; k < 9; k++) rows &= p[k] == p[k / 3 * 3], columns &= p[k] == p[k % 3];
    EXPECT_TRUE(rows || columns);
    EXPECT_TRUE(std::all_of(p.begin(), p.end(), [](double v) { return v == 0 || v == 1; }));
  }
  EXPECT_EQ((std::vector<double>{points.begin() + 9, points.begin() + 18}), (std::vector<double>{1, 1, 1, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ((std::vector<double>{points.begin() + 72, points.begin() + 81}), (std::vector<double>{1, 0, 0, 1, 0, 0, 1, 0, 0}));
  for (auto at = drawn.begin(); at != drawn.end(); at += 9) found.at({at, at + 9})++;
  for (auto const& [p, times] : found) EXPECT_NEAR(double(times), 500, 5 * std::sqrt(500.));  // binomial
  EXPECT_EQ(load_deck("type = \"bars_and_stripes\"\nsize = 5\n").size(Split::train), 62);
  EXPECT_EQ(load_deck("type = \"bars_and_stripes\"\ncopies = 3\n").size(Split::train), 42);
}

TEST(Load, DeckMistakesAreRefused) {
  EXPECT_THAT(failure(ExitCode::usage, [] { load_deck("type = \"two_moon\"\n"); }), HasSubstr("two_moons"));
  EXPECT_THAT(failure(ExitCode::usage, [] { load_deck("type = \"checkerboard\"\nnoise = 0.1\n"); }), HasSubstr("noise"));
  EXPECT_THAT(failure(ExitCode::usage, [] { load_deck("type = \"csv\"\n"); }), HasSubstr("path"));
  EXPECT_THAT(failure(ExitCode::usage, [] { load_deck("type = \"csv\"\npath = \"a\"\ntest_path = \"b\"\ntest_fraction = 0.1\n"); }),
              HasSubstr("test_fraction"));
}

}  // namespace
}  // namespace partita::data
