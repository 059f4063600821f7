// The resolved deck, and what a restart may change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "catalogue.hpp"

namespace partita::deck {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Document with(std::vector<std::string> const& overrides) { return read(good_deck, "x.toml", test_catalogue(), overrides); }

TEST(Resolved, WritesEveryKey) {
  EXPECT_EQ(resolved(with({})), R"(title = "Gaussian"

[run]
task = "sample"
output = "runs/default"
seed = 1000000

[model]
type = "gaussian"
dimension = 32
mean = [0.0, 1.5]
box = [-1.0, 1.0]
precision = "diagonal"

[sampler]
type = "ula"
chains = 1024
steps = 2000
step_size = 0.1

[[estimator]]
type = "moments"

[[estimator]]
type = "energy"
points = 16
)");
}

TEST(Resolved, ReadsAgainWithTheSameValues) {
  Document const first =
      with({"run.output=\"a\\\\b\\\"c\\n\\u0007\xC3\xA9\"", "sampler.step_size=0.1000000000000000055", "sampler.draws=9007199254740993"});
  Document const second = read(resolved(first), "resolved.toml", test_catalogue());
  EXPECT_THAT(differences_that_change_results(first, second), IsEmpty());
  ASSERT_EQ(first.blocks.size(), second.blocks.size());
  for (std::size_t b = 0; b < first.blocks.size(); b++) {
    ASSERT_EQ(first.blocks[b].entries.size(), second.blocks[b].entries.size());
    for (std::size_t e = 0; e < first.blocks[b].entries.size(); e++)
      EXPECT_EQ(first.blocks[b].entries[e].value, second.blocks[b].entries[e].value);
  }
  EXPECT_EQ(resolved(second), resolved(first));
}

TEST(Resolved, HasPresentNames) {
  std::string deck = good_deck;
  deck.replace(deck.find("step_size"), 9, "eta");
  deck.replace(deck.find("\"ula\""), 5, "\"langevin\"");
  Document const former = read(deck, "former.toml", test_catalogue());
  EXPECT_EQ(resolved(former), resolved(with({})));
  EXPECT_THAT(differences_that_change_results(former, with({})), IsEmpty());
  EXPECT_THAT(differences_that_change_results(former, with({"sampler.step_size=0.2"})),
              ElementsAre("sampler.step_size: 0.1 in the run, 0.2 in the deck (--set)"));
}

TEST(Resolved, KeepsTheBitsOfFloats) {
  for (double const v :
       {0.1, 1. / 3, 1e300, 5e-324, 2.2250738585072014e-308, 123456789012345680., 1e23, std::numeric_limits<double>::max()}) {
    Document const d = with({"model.mean=[" + toml_text(v) + "]"});
    EXPECT_EQ(read(resolved(d), "r", test_catalogue()).at("model").as<GaussianOptions>().mean[0], v) << toml_text(v);
  }
  Document const d = with({"model.mean=[-0.0]"});
  EXPECT_TRUE(std::signbit(read(resolved(d), "r", test_catalogue()).at("model").as<GaussianOptions>().mean[0]));
}

TEST(Restart, ComparesFixedKeysOnly) {
  EXPECT_THAT(differences_that_change_results(with({}), with({"sampler.steps=5", "run.output=elsewhere", "title=Other"})), IsEmpty());
  EXPECT_THAT(
      differences_that_change_results(with({}), read(std::string(good_deck) + "[[estimator]]\ntype='moments'", "x.toml", test_catalogue())),
      IsEmpty());
  EXPECT_THAT(differences_that_change_results(with({"sampler.step_size=0.2"}), with({"run.seed=3", "sampler.chains=1024"})),
              ElementsAre("run.seed: 1000000 in the run, 3 in the deck (--set)",
                          "sampler.step_size: 0.2 in the run, 0.1 in the deck (x.toml:11:13)"));
  EXPECT_THAT(differences_that_change_results(with({"sampler.chains=8", "estimator.1.points=3"}), with({})),
              ElementsAre("sampler.chains: 8 in the run, 1024 in the deck (its default)",
                          "estimator.1.points: 3 in the run, 16 in the deck (x.toml:17:10)"));
}

TEST(Restart, ComparesTypesAndSections) {
  EXPECT_THAT(differences_that_change_results(with({}), with({"sampler.type=hmc"})),
              ElementsAre("sampler.type: \"ula\" in the run, \"hmc\" in the deck (--set)"));
  Document const train = read("run.task='train'\nmodel={type='mlp', layers=[1]}\ntrain={}", "t.toml", test_catalogue());
  auto const differences = differences_that_change_results(with({}), train);
  EXPECT_THAT(differences, testing::Contains("train: absent from the run, present in the deck (t.toml:3:7)"));
  EXPECT_THAT(differences, testing::Contains("sampler: present in the run, absent from the deck"));
  EXPECT_THAT(differences, Not(testing::Contains(HasSubstr("estimator"))));
}

}  // namespace
}  // namespace partita::deck
