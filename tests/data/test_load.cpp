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

TEST(Load, GeneratedSetsByName) {
  for (char const* type : {"two_moons", "eight_gaussians", "rings", "checkerboard", "pinwheel", "swiss_roll", "two_spirals"}) {
    Dataset const data = load_deck(std::string("type = \"") + type + "\"\npoints = 100\nlimit = 60\nvalidation_fraction = 0.5\n");
    EXPECT_EQ(data.size(Split::train), 30);
    EXPECT_EQ(data.dimension(), 2);
    EXPECT_EQ(data.source(), type);
    EXPECT_EQ(data.held_out(0, 500).size(), 1000u);
  }
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
