// Good decks: values, defaults, positions, what applies to which task.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue.hpp"
#include "core/require.hpp"

namespace partita::deck {
namespace {

using testing::ElementsAre;

TEST(Read, BindsValuesToStructMembersAndKeepsDefaults) {
  Document const d = read(good_deck, "x.toml", test_catalogue());
  EXPECT_EQ(d.title, "Gaussian");
  EXPECT_EQ(d.task, "sample");
  auto const run = d.at("run").as<RunOptions>();
  EXPECT_EQ(run.task, "sample");
  EXPECT_EQ(run.seed, 1000000u);  // written as 1e6
  EXPECT_EQ(run.output, "runs/default");
  auto const model = d.at("model").as<GaussianOptions>();
  EXPECT_EQ(d.at("model").type, "gaussian");
  EXPECT_EQ(model.dimension, 32);
  EXPECT_THAT(model.mean, ElementsAre(0, 1.5));
  EXPECT_THAT(model.box, ElementsAre(-1, 1));
  EXPECT_EQ(d.at("sampler").as<SamplerOptions>().steps, 2000);  // common keys and
  EXPECT_EQ(d.at("sampler").as<UlaOptions>().step_size, 0.1);   // the type's keys fill their own structs
  ASSERT_EQ(d.all("estimator").size(), 2u);
  EXPECT_EQ(d.all("estimator")[0]->type, "moments");
  EXPECT_EQ(d.all("estimator")[1]->as<EstimatorOptions>().points, 16);
  EXPECT_TRUE(d.warnings.empty());
}

TEST(Read, KnowsWhereValuesStand) {
  Document const d = read(good_deck, "x.toml", test_catalogue());
  EXPECT_EQ(to_string(d.at("sampler").at), "x.toml:9:1");
  EXPECT_EQ(to_string(*d.at("sampler").find("step_size")->given_at), "x.toml:11:13");
  EXPECT_FALSE(d.at("sampler").find("chains")->given_at);
  EXPECT_EQ(d.at("sampler").find("no_such_key"), nullptr);
}

TEST(Read, LeavesOutWhatDoesNotApplyToTheTask) {
  Document const sample = read(good_deck, "x.toml", test_catalogue());
  EXPECT_EQ(sample.find("train"), nullptr);
  EXPECT_EQ(sample.at("run").find("reproducible"), nullptr);
  EXPECT_THROW(sample.at("train"), Failure);

  Document const train = read("[run]\ntask = 'train'\n[model]\ntype = 'mlp'\nlayers = [2, 1]", "x.toml", test_catalogue());
  EXPECT_FALSE(train.at("train").given);  // absent, stands by its defaults
  EXPECT_EQ(train.at("train").as<TrainOptions>().updates, 1000);
  EXPECT_NE(train.at("run").find("reproducible"), nullptr);
  EXPECT_EQ(train.find("sampler"), nullptr);  // optional here, and has no default type
}

TEST(Read, AcceptsByteOrderMarkCarriageReturnsInlineTablesAndDottedKeys) {
  std::string const bom = "\xEF\xBB\xBF";
  Document const d =
      read(bom + "run = {task = \"estimate\"}\r\nmodel.type = 'gaussian'\r\nmodel.dimension = 3\r\n", "x.toml", test_catalogue());
  EXPECT_EQ(d.task, "estimate");
  EXPECT_EQ(d.at("model").as<GaussianOptions>().dimension, 3);
}

TEST(Read, AFloatMemberHasTheDecimalDefault) {
  // 0.1f is 0.10000000149 as a double, but the deck's 0.1 must compare equal to it.
  Key const friction = key("friction", &HmcOptions::friction, "");
  EXPECT_EQ(std::get<double>(friction.default_value), 0.1);
}

TEST(Read, ASectionTakesItsDefaultType) {
  Catalogue catalogue = test_catalogue();
  catalogue.sections[1].default_type = "gaussian";
  catalogue.sections[1].required_for = {};
  Document const absent = read("run.task = 'estimate'", "x.toml", catalogue);
  EXPECT_EQ(absent.at("model").type, "gaussian");
  EXPECT_FALSE(absent.at("model").given);
  EXPECT_EQ(read("run.task = 'estimate'\nmodel.dimension = 2", "x.toml", catalogue).at("model").as<GaussianOptions>().dimension, 2);
}

TEST(Read, TakesFormerNamesWithAWarning) {
  Document const d =
      read("[run]\ntask='sample'\n[model]\ntype='gaussian'\n[sampler]\ntype = 'langevin'\neta = 3", "x.toml", test_catalogue());
  EXPECT_EQ(d.at("sampler").type, "ula");
  EXPECT_EQ(d.at("sampler").as<UlaOptions>().step_size, 3);
  EXPECT_EQ(to_string(*d.at("sampler").find("step_size")->given_at), "x.toml:7:7");
  ASSERT_EQ(d.warnings.size(), 2u);
  EXPECT_EQ(to_string(d.warnings[0].at), "x.toml:6:8");
  EXPECT_EQ(d.warnings[0].text, "sampler.type = \"langevin\" is now called \"ula\": write sampler.type = \"ula\"");
  EXPECT_EQ(to_string(d.warnings[1].at), "x.toml:7:1");
  EXPECT_EQ(d.warnings[1].text, "sampler.eta is now called sampler.step_size: write step_size");
}

TEST(Read, LeavesOutWhatDoesNotApplyToTheType) {
  std::string const start = "[run]\ntask='sample'\n[model]\ntype='gaussian'\n[sampler]\nstep_size=1\n";
  EXPECT_NE(read(start + "type = 'ula'", "x.toml", test_catalogue()).at("sampler").find("width"), nullptr);
  EXPECT_EQ(read(start + "type = 'hmc'", "x.toml", test_catalogue()).at("sampler").find("width"), nullptr);
}

TEST(Read, RefusesASchemaWithKeysOfAnotherStruct) {
  EXPECT_THROW(schema<UlaOptions>("ula", "", {key("friction", &HmcOptions::friction, "")}), Failure);
}

}  // namespace
}  // namespace partita::deck
