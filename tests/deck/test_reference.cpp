// The reference deck of a small Catalogue, word for word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue.hpp"
#include "core/require.hpp"
#include "deck/toml.hpp"

namespace partita::deck {
namespace {

TEST(Reference, DocumentsEveryKey) {
  std::string const text = reference(test_catalogue());
  for (Section const& section : test_catalogue().sections) {
    EXPECT_THAT(text, testing::HasSubstr(header(section.name, section.repeated)));
    std::vector<Schema> schemas = section.types;
    schemas.push_back({"", "", section.common});
    for (Schema const& schema : schemas)
      for (Key const& key : schema.keys)
        EXPECT_THAT(text, testing::AllOf(testing::HasSubstr(key.name + " = "), testing::HasSubstr(key.doc)));
  }
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("eta = ")));  // former names are not for new decks
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("\"langevin\"")));
}

TEST(Reference, IsTomlWithTheDefaultsOfCommonKeys) {
  std::vector<Problem> problems;
  auto const deck = parse(reference(test_catalogue()), "reference", problems);
  ASSERT_TRUE(deck) << problems[0].text;
  EXPECT_EQ(deck->sections.size(), test_catalogue().sections.size());
}

TEST(Reference, BecomesADeckByChoosing) {
  std::string text = reference(test_catalogue());
  auto const choose = [&](std::string const& line, std::string const& choice) {
    auto const at = text.find(line);
    ASSERT_NE(at, text.npos) << line;
    text.replace(at, line.size(), choice);
  };
  choose("# task = <sample|train|estimate>", "task = \"train\"");
  choose("# type = \"mlp\"", "type = \"mlp\"");
  choose("# layers = <an array of whole numbers>", "layers = [2, 1]");
  choose("# type = \"hmc\"", "type = \"hmc\"");
  choose("# type = \"energy\"", "type = \"energy\"");
  auto const hmc = text.find("\ntype = \"hmc\"");
  text.replace(text.find("# step_size = <a number>", hmc), 24, "step_size = 0.5");
  Document const d = read(text, "reference", test_catalogue());
  EXPECT_EQ(d.at("sampler").as<HmcOptions>().step_size, 0.5);
}

TEST(Reference, LooksLikeThis) {
  Catalogue const catalogue{{run_section(), sampler_section()}};
  EXPECT_EQ(
      reference(catalogue),
      R"(# Every section, type and key of a deck, in TOML. Keys stand with their defaults and may be left out; lines that begin with # are choices:
# the types of a section, of which a deck takes one, keys that are required, unset by default or exclude others.
# A restart may change what is free; changing what is fixed would change the result and is refused.

title = ""                                  # what the run is, in a few words; free on restart

[run]                                       # What to do
# task = <sample|train|estimate>            # what to compute; required; "sample", "train" or "estimate"; fixed on restart
output = "runs/default"                     # run directory; free on restart
seed = 1                                    # seed of all random numbers; fixed on restart
reproducible = false                        # same bits on any number of ranks; only for task "train"; fixed on restart
# walltime = <text in quotes>               # stop in time; unset by default; free on restart

[sampler]                                   # Markov chains; only for task "sample" or "train"; required for task "sample"; type fixed on restart
chains = 1024                               # number of chains; at least 1; fixed on restart
steps = 100                                 # steps of each chain; at least 0; free on restart
# thin = 1                                  # steps from draw to draw; at least 1; not with "draws"; fixed on restart
# draws = 0                                 # draws kept; at least 0 and at most 1e+18; not with "thin"; fixed on restart
# width = <a whole number>                  # lanes of a tile; unset by default; at least 1; not with type "hmc"; fixed on restart
#
# type = "ula"                              # Unadjusted Langevin
# step_size = <a number>                    # step eta; required; above 0; fixed on restart
#
# type = "hmc"                              # Hamiltonian Monte Carlo
# step_size = <a number>                    # leapfrog step; required; above 0; fixed on restart
# leapfrog_steps = 10                       # leapfrog steps of a proposal; at least 1; fixed on restart
# friction = 0.1                            # partial refreshment; at least 0 and below 1; fixed on restart
)");
}

TEST(Reference, NamesWhatMayNotStandBesideAKeyOfItsOwnTypeOnly) {
  using O = SamplerOptions;
  Section section = sampler_section();
  section.types = {schema<O>("first", "", {key("points", &O::draws, "a").excludes({"chains", "rows"}), key("rows", &O::width, "b")}),
                   schema<O>("second", "", {key("points", &O::draws, "c"), key("rows", &O::width, "d")})};
  std::string const text = reference({{section}});
  EXPECT_THAT(text, testing::ContainsRegex("# points = 0 +# a; not with \"chains\" or \"rows\"; fixed on restart\n"));
  EXPECT_THAT(text, testing::ContainsRegex("# points = 0 +# c; fixed on restart\n"));
  EXPECT_THAT(text, testing::ContainsRegex("# rows = 0 +# b; not with \"points\"; fixed on restart\n"));
  EXPECT_THAT(text, testing::ContainsRegex("# rows = 0 +# d; fixed on restart\n"));
  EXPECT_THAT(text, testing::ContainsRegex("# chains = 1024 +# number of chains; at least 1; not with \"points\"; fixed on restart\n"));
}

}  // namespace
}  // namespace partita::deck
