// Keys that are used only with some values of another key.
#include <gmock/gmock.h>

#include "catalogue.hpp"

using namespace partita::deck;
using testing::HasSubstr;
using testing::Not;

namespace {

struct FormOptions {
  std::string form = "flat";
  double slope = 1, cost = 0, target = 0.1;
};

Catalogue const& forms() {
  using O = FormOptions;
  static Catalogue const catalogue{
      {run_section(),
       {.name = "model",
        .doc = "A form",
        .common = {},
        .types = {schema<O>("form", "A form",
                            {key("form", &O::form, "form").one_of({"flat", "steep", "steeper"}),
                             key("slope", &O::slope, "slope").only_with("form", {"steep", "steeper"}), key("cost", &O::cost, "factor"),
                             key("target", &O::target, "target").not_with("cost", {0.})})},
        .default_type = {},
        .tasks = {},
        .required_for = {"sample"}}}};
  return catalogue;
}
Document form(std::string const& keys) { return read("[run]\ntask = 'sample'\n[model]\ntype = 'form'\n" + keys, "x.toml", forms()); }

}  // namespace

TEST(Conditions, AKeyThatIsNotUsedIsAMistake) {
  auto const problems = unused_keys(form("slope = 2.0\ntarget = 0.5\n"));
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(to_string(problems[0].at), "x.toml:5:9");
  EXPECT_EQ(problems[0].text,
            "model.slope is used only with form = \"steep\" or \"steeper\", but model.form = \"flat\"; change form, or remove slope");
  EXPECT_THAT(problems[1].text, HasSubstr("model.target is not used with cost = 0.0"));
}

TEST(Conditions, AUsedKeyAndADefaultAreNone) {
  EXPECT_TRUE(unused_keys(form("form = 'steeper'\nslope = 2.0\ncost = 0.5\ntarget = 0.5\n")).empty());
  EXPECT_TRUE(unused_keys(form("slope = 1.0\n")).empty());  // as in the complete decks of earlier versions
  EXPECT_TRUE(unused_keys(form("")).empty());
}

TEST(Conditions, WhatIsNotUsedIsNotWrittenAndDoesNotCount) {
  Document const with = form("slope = 2.0\n"), without = form("");
  EXPECT_THAT(resolved(with), Not(HasSubstr("slope")));
  EXPECT_THAT(resolved(form("form = 'steep'\n")), HasSubstr("slope = 1.0"));
  EXPECT_TRUE(differences_that_change_results(with, without).empty());
  EXPECT_EQ(differences_that_change_results(form("form = 'steep'\nslope = 2.0\n"), form("form = 'steep'\n")).size(), 1u);
}

TEST(Conditions, AreInTheReference) { EXPECT_THAT(reference(forms()), HasSubstr("slope; used only with form = \"steep\" or \"steeper\"")); }
