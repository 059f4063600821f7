// --set section.key=value
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue.hpp"
#include "core/require.hpp"

namespace partita::deck {
namespace {

using testing::HasSubstr;

Document with(std::vector<std::string> const& overrides) { return read(good_deck, "x.toml", test_catalogue(), overrides); }

std::string failure_of(std::vector<std::string> const& overrides) {
  try {
    with(overrides);
  } catch (Failure const& f) {
    return f.what();
  }
  return "no failure";
}

TEST(Overrides, ReplaceAndAddValues) {
  Document const d = with({"sampler.step_size=0.2", "sampler.chains = 4e3", "model.mean=[1, 2, 3]", "run.seed=5", "run.seed=7"});
  EXPECT_EQ(d.at("sampler").as<UlaOptions>().step_size, 0.2);
  EXPECT_EQ(d.at("sampler").as<SamplerOptions>().chains, 4000);
  EXPECT_EQ(d.at("model").as<GaussianOptions>().mean.size(), 3u);
  EXPECT_EQ(d.at("run").as<RunOptions>().seed, 7u);  // the last one counts
  EXPECT_EQ(to_string(*d.at("run").find("seed")->given_at), "--set");
}

TEST(Overrides, TakeBareWordsAsText) {
  EXPECT_EQ(with({"run.output=runs/a b.c#d"}).at("run").as<RunOptions>().output, "runs/a b.c#d");
  EXPECT_EQ(with({"run.output=\"1\""}).at("run").as<RunOptions>().output, "1");
  EXPECT_EQ(with({"run.walltime=5min"}).at("run").as<RunOptions>().walltime, "5min");
  EXPECT_EQ(with({"run.output=a=b"}).at("run").as<RunOptions>().output, "a=b");
  EXPECT_EQ(with({"title=Two words"}).title, "Two words");
}

TEST(Overrides, ReachRepeatedSectionsByIndex) {
  EXPECT_EQ(with({"estimator.1.points=5"}).all("estimator")[1]->as<EstimatorOptions>().points, 5);
  EXPECT_THAT(failure_of({"estimator.points=5"}), HasSubstr("--set: estimator.points: say which one, as in estimator.0.points"));
  EXPECT_THAT(failure_of({"estimator.2.points=5"}), HasSubstr("--set: estimator.2.points: the deck has only 2 [[estimator]]"));
  EXPECT_THAT(failure_of({"run.0.seed=5"}), HasSubstr("--set: run.0.seed: stands once; leave out the number"));
}

TEST(Overrides, AddSections) {
  EXPECT_EQ(read("", "x.toml", test_catalogue(), {"run.task=train", "model.type=mlp", "model.layers=[2,1]"}).at("model").type, "mlp");
}

TEST(Overrides, OfATypeMakeTheOldTypesKeysErrors) {
  EXPECT_THAT(failure_of({"model.type=mlp", "model.layers=[2, 1]"}),
              HasSubstr("x.toml:7:1: model.dimension: not a key of type \"mlp\"; remove it, or change model.type to \"gaussian\""));
}

TEST(Overrides, ReplaceAKeyUnderItsFormerNameToo) {
  std::vector<std::string> const names{"eta", "step_size"};
  for (std::string const& name : names)
    for (std::string const& later : names) {
      Document const d = with({"sampler." + name + "=0.2", "sampler." + later + "=0.3"});  // the deck itself gives step_size
      EXPECT_EQ(d.at("sampler").as<UlaOptions>().step_size, 0.3) << name << ' ' << later;
      ASSERT_EQ(d.warnings.size(), later == "eta" ? 1u : 0u);
      for (Problem const& warning : d.warnings) EXPECT_EQ(to_string(warning.at), "--set");
    }
  EXPECT_EQ(with({"sampler.type=langevin"}).at("sampler").type, "ula");
}

TEST(Overrides, AreCheckedLikeTheDeck) {
  EXPECT_THAT(failure_of({"sampler.step_size=-1"}), HasSubstr("--set: sampler.step_size = -1: must be above 0 (step eta)"));
  EXPECT_THAT(failure_of({"sampler.stepsize=1"}),
              HasSubstr("--set: sampler.stepsize: unknown key of type \"ula\"; did you mean \"step_size\"?"));
  EXPECT_THAT(failure_of({"smapler.chains=1"}), HasSubstr("--set: [smapler]: unknown section; did you mean [sampler]?"));
  EXPECT_THAT(failure_of({"sampler.step_size=.5"}), HasSubstr("not text (step eta); write 0.5"));
  EXPECT_THAT(failure_of({"sampler.step_size=fast"}), HasSubstr("must be a number, not text"));
}

// Such words are text to TOML, but nobody has put them in quotes.
TEST(Overrides, NumbersBeyond64BitsAreSaidToBeTooLarge) {
  for (char const* seed : {"18446744073709551615", "0xFFFFFFFFFFFFFFFF", "-99999999999999999999", "18_446_744_073_709_551_616"})
    EXPECT_THAT(
        failure_of({std::string("run.seed=") + seed}),
        HasSubstr(
            std::string("--set: run.seed = ") + seed +
            ": must be a whole number, not one beyond 64 bits (seed of all random numbers); write one from 0 to 9223372036854775807"));
  EXPECT_THAT(failure_of({"sampler.draws=1e30"}), HasSubstr("write one from 0 to 1000000000000000000"));
  EXPECT_THAT(
      failure_of({"sampler.step_size=1e999"}),
      HasSubstr("sampler.step_size = 1e999: must be a number, not one beyond 64 bits (step eta); write one above 0 and at most 3.4e+38"));
  EXPECT_THAT(failure_of({"run.seed=1-2"}), testing::Not(HasSubstr("remove the quotes")));
  EXPECT_EQ(with({"run.output=18446744073709551615"}).at("run").as<RunOptions>().output, "18446744073709551615");
}

TEST(Overrides, OfBadFormAreErrors) {
  EXPECT_THAT(failure_of({"sampler.step_size"}), HasSubstr("no = in it; write section.key=value"));
  EXPECT_THAT(failure_of({"=1"}), HasSubstr("must be section.key=value"));
  EXPECT_THAT(failure_of({"seed=1"}), HasSubstr("seed: must be section.key=value"));
  EXPECT_THAT(failure_of({"a.b.c.d=1"}), HasSubstr("must be section.key=value"));
  EXPECT_THAT(failure_of({"run.seed="}), HasSubstr("run.seed: no value after the ="));
  EXPECT_THAT(failure_of({"run.seed=1\n[sampler]\nsteps=2"}), HasSubstr("run.seed: must be one value, not a table"));
  EXPECT_THAT(failure_of({"model.mean=[1,"}), HasSubstr("model.mean: not valid TOML"));
  EXPECT_THAT(failure_of({"run.output=\"\xff\""}), HasSubstr("run.output: not UTF-8 text"));
}

TEST(Overrides, ErrorsComeAfterThoseOfTheFileAndAreCounted) {
  std::string const message = failure_of({"sampler.steps=-1", "sampler.colour=1", "model.type=gausian"});
  EXPECT_THAT(message, testing::EndsWith("3 errors in the deck"));
}

}  // namespace
}  // namespace partita::deck
