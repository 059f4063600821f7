// Every way to write a deck wrongly: where it is reported, and in which words. All problems of a deck are reported at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalogue.hpp"
#include "core/require.hpp"

namespace partita::deck {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct BadDeck {
  char const* name;
  std::string text;
  std::string place;               // line:column of the problem
  std::vector<std::string> words;  // of its message
};
std::ostream& operator<<(std::ostream& out, BadDeck const& b) { return out << b.name; }

std::string const start = "[run]\ntask = \"sample\"\n[model]\ntype = \"gaussian\"\n[sampler]\ntype = \"ula\"\n";  // 6 lines
std::string const sampler = start + "step_size = 0.1\n";                                                          // 7 lines
std::string const training = "[run]\ntask = \"train\"\n[model]\ntype = \"mlp\"\n";                                // 4 lines

std::string repeated(std::string const& s, int n) {
  std::string text;
  for (int i = 0; i < n; i++) text += s;
  return text;
}

std::string failure_of(std::string const& text) {
  try {
    read(text, "x.toml", test_catalogue());
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    EXPECT_EQ(f.where(), FailedOn::all_ranks);
    return f.what();
  }
  return "no failure";
}

std::string name_of(testing::TestParamInfo<BadDeck> const& deck) { return deck.param.name; }

class BadDecks : public testing::TestWithParam<BadDeck> {};

TEST_P(BadDecks, AreReportedInPlace) {
  std::string const message = failure_of(GetParam().text);
  EXPECT_THAT(message, StartsWith("x.toml:" + GetParam().place + ": "));
  for (std::string const& words : GetParam().words) EXPECT_THAT(message, HasSubstr(words));
  EXPECT_THAT(message, testing::EndsWith("\n1 error in the deck"));
  EXPECT_LT(message.size(), 600u);
}

INSTANTIATE_TEST_SUITE_P(
    Schema, BadDecks,
    testing::Values(
        BadDeck{"unknown_key", sampler + "colour = 1", "8:1", {"sampler.colour: unknown key of type \"ula\"; keys here are chains, steps"}},
        BadDeck{"unknown_section", sampler + "[plot]\nx = 1", "8:1", {"[plot]: unknown section; sections are run, model"}},
        BadDeck{"include", "include = 'other.toml'\n" + sampler, "1:1", {"include: unknown key; only title may stand before"}},
        BadDeck{"misspelt_key", start + "stepsize = 0.1\nstep_size = 0.1", "7:1", {"did you mean \"step_size\"?"}},
        BadDeck{"misspelt_section", sampler + "[estimater]\n", "8:1", {"[estimater]: unknown section; did you mean [[estimator]]?"}},
        BadDeck{"misspelt_type",
                "[run]\ntask='sample'\n[sampler]\ntype='ula'\nstep_size=1\n[model]\ntype = 'gausian'",
                "7:8",
                {"model.type = \"gausian\": unknown type; did you mean \"gaussian\"?"}},
        BadDeck{"misspelt_value",
                "[model]\ntype='gaussian'\n[run]\ntask = 'smaple'",
                "4:8",
                {"run.task = \"smaple\": must be \"sample\", \"train\" or \"estimate\" (what to compute); did you mean \"sample\"?"}},
        BadDeck{"unknown_type", "run.task='estimate'\n[model]\ntype = 'x'", "3:8", {"unknown type; must be \"gaussian\" or \"mlp\""}},
        BadDeck{"type_no_text",
                "run.task='estimate'\n[model]\ntype = 3",
                "3:8",
                {"model.type = 3: must be text in quotes, not a whole number; one of \"gaussian\" or \"mlp\""}},
        BadDeck{
            "missing_type", "run.task='estimate'\n[model]\ndimension = 3", "2:1", {"model.type: missing; must be \"gaussian\" or \"mlp\""}},
        BadDeck{"unknown_enum_value",
                "run.task='estimate'\n[model]\ntype='gaussian'\nprecision = 'full'",
                "4:13",
                {"model.precision = \"full\": must be \"diagonal\", \"ar1\" or \"dense\" (form of H); see 'partita reference'"}},
        BadDeck{"key_of_another_section", sampler + "seed = 1", "8:1", {"sampler.seed: unknown key", "it belongs to [run]"}},
        BadDeck{"key_before_sections", "chains = 3\n" + sampler, "1:1", {"chains: unknown key; it belongs to [sampler]"}},
        BadDeck{"section_as_key", "train = 3\nrun.task='estimate'", "1:1", {"train: a section, not a key; write it as a line [train]"}},
        BadDeck{"section_as_list",
                "[[model]]\ntype='gaussian'\n[[model]]\ntype='gaussian'\n[run]\ntask='estimate'",
                "1:1",
                {"[model]: stands once; write [model]"}},
        BadDeck{"list_as_section",
                "run.task='estimate'\n[estimator]\ntype='moments'",
                "2:1",
                {"[estimator]: may stand several times; write [[estimator]]"}},
        BadDeck{"missing_required_key", start, "5:1", {"sampler.step_size: missing; must be a number, above 0 (step eta)"}},
        BadDeck{"missing_section", "[run]\ntask = 'train'", "1:1", {"[model]: this section is missing, task \"train\" needs it"}},
        BadDeck{"empty_file",
                "",
                "1:1",
                {"run.task: missing; must be text in quotes, \"sample\", \"train\" or \"estimate\" (what to compute)"}},
        BadDeck{"only_a_comment", "# nothing\n", "1:1", {"run.task: missing"}},
        BadDeck{"no_task", "[model]\ntype='gaussian'\n\n[run]\nseed=1", "4:1", {"run.task: missing"}},
        BadDeck{"text_for_int",
                sampler + "chains = \"10\"",
                "8:10",
                {"sampler.chains = \"10\": must be a whole number, not text (number of chains); remove the quotes"}},
        BadDeck{"fraction_for_int", sampler + "chains = 1.5", "8:10", {"must be a whole number, not a fraction"}},
        BadDeck{"subsection", sampler + "[run.x]", "8:6", {"run.x: unknown key"}},
        BadDeck{"number_for_text",
                "[run]\ntask='estimate'\noutput = 5",
                "3:10",
                {"run.output = 5: must be text in quotes, not a whole number (run directory); put it in quotes"}},
        BadDeck{"text_for_bool",
                "[model]\ntype='mlp'\nlayers=[1]\n[run]\ntask='train'\nreproducible = 'yes'",
                "6:16",
                {"must be true or false, not text", "write true"}},
        BadDeck{"int_for_bool",
                "[model]\ntype='mlp'\nlayers=[1]\n[run]\ntask='train'\nreproducible = 1",
                "6:16",
                {"must be true or false, not a whole number"}},
        BadDeck{"bool_for_number", start + "step_size = true", "7:13", {"must be a number, not true or false"}},
        BadDeck{"date_for_number", start + "step_size = 2026-01-01", "7:13", {"sampler.step_size = a date: must be a number, not a date"}},
        BadDeck{"table_for_number", start + "step_size = {a = 1}", "7:13", {"must be a number, not a table"}},
        BadDeck{"array_for_number",
                start + "step_size = [1]",
                "7:13",
                {"sampler.step_size = [1]: must be a number, not an array (step eta); remove the brackets"}},
        BadDeck{"number_for_array",
                "run.task='estimate'\n[model]\ntype='gaussian'\nmean = 3",
                "4:8",
                {"must be an array of numbers, not a whole number (mu); write [3]"}},
        BadDeck{"nan", start + "step_size = nan", "7:13", {"sampler.step_size = nan: must be finite"}},
        BadDeck{"inf", start + "step_size = inf", "7:13", {"sampler.step_size = inf: must be finite"}},
        BadDeck{"inf_for_int", sampler + "chains = inf", "8:10", {"must be a whole number, not nan or inf"}},
        BadDeck{"nan_in_array",
                "run.task='estimate'\n[model]\ntype='gaussian'\nmean = [0, nan]",
                "4:8",
                {"model.mean = [0, nan]: entry 2 must be finite (mu)"}},
        BadDeck{"negative_step_size",
                start + "step_size = -0.1",
                "7:13",
                {"sampler.step_size = -0.1: must be above 0 (step eta); see 'partita reference'"}},
        BadDeck{"zero_step_size", start + "step_size = 0", "7:13", {"sampler.step_size = 0: must be above 0"}},
        BadDeck{"zero_chains", sampler + "chains = 0", "8:10", {"sampler.chains = 0: must be at least 1"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Limits, BadDecks,
    testing::Values(
        BadDeck{"above_both_bounds", training + "layers=[1]\nweight_scale = 2", "6:16", {"must be above 0 and at most 1"}},
        BadDeck{"int_overflow",
                sampler + "chains = 9223372036854775808",
                "8:29",
                {"not valid TOML", "9223372036854775808", "from -9223372036854775808 to 9223372036854775807"}},
        BadDeck{"float_overflows_int",
                sampler + "chains = 1e19",
                "8:10",
                {"must be a whole number, not one beyond 64 bits", "write one from 1 to 268435456"}},
        BadDeck{"quoted_beyond_int",
                "[run]\ntask='estimate'\nseed = '18446744073709551615'",
                "3:8",
                {"must be a whole number, not one beyond 64 bits", "write one from 0 to 9223372036854775807"}},
        BadDeck{"member_overflow", sampler + "steps = 3_000_000_000", "8:9", {"sampler.steps = 3000000000: must be at most 2147483647"}},
        BadDeck{"beyond_counting", sampler + "width = 268435457", "8:9", {"sampler.width = 268435457: must be at most 268435456"}},
        BadDeck{"negative_seed", "[run]\ntask='estimate'\nseed = -1", "3:8", {"run.seed = -1: must be at least 0"}},
        BadDeck{"float_overflow", start + "step_size = 1e999", "7:18", {"not valid TOML", "1e999", "must fit 64 bits"}},
        BadDeck{"beyond_single_precision",
                start + "step_size = 1e39",
                "7:13",
                {"must be at most 3.4e+38 in size, the largest number of single precision"}},
        BadDeck{"below_single_precision",
                start + "step_size = 1e-39",
                "7:13",
                {"must be 0 or at least 1.2e-38 in size, the smallest number of single precision"}},
        BadDeck{"entry_beyond_single_precision",
                "run.task='estimate'\n[model]\ntype='gaussian'\nbox = [1, -1e300]",
                "4:7",
                {"single precision"}},
        BadDeck{"wrong_length",
                "run.task='estimate'\n[model]\ntype='gaussian'\nbox = [1, 2, 3]",
                "4:7",
                {"model.box = [1, 2, 3]: must have 2 entries, not 3"}},
        BadDeck{"mixed_array",
                "run.task='estimate'\n[model]\ntype='gaussian'\nmean = [1, 'a']",
                "4:8",
                {"model.mean = [1, \"a\"]: must be an array of numbers, but entry 2 is text (mu)"}},
        BadDeck{"array_in_array", "run.task='estimate'\n[model]\ntype='gaussian'\nmean = [[1]]", "4:8", {"entry 1 is an array"}},
        BadDeck{"range_of_entries", training + "layers = [2, 0]", "5:10", {"model.layers = [2, 0]: entry 2 must be at least 1"}},
        BadDeck{"numbers_for_texts",
                training + "layers=[1]\nnames = ['a', 2]",
                "6:9",
                {"must be an array of texts, but entry 2 is a whole number", "put it in quotes"}},
        BadDeck{"bad_duration", "[run]\ntask='estimate'\nwalltime = '5m'", "3:12", {"run.walltime = \"5m\": must be a duration"}},
        BadDeck{"nul_in_text",
                "[run]\ntask='estimate'\noutput = \"a\\u0000b\"",
                "3:10",
                {"run.output = \"a\\u0000b\": must not hold the character NUL"}},
        BadDeck{"key_of_another_type",
                sampler + "leapfrog_steps = 3",
                "8:1",
                {"sampler.leapfrog_steps: not a key of type \"ula\"; remove it, or change sampler.type to \"hmc\""}},
        BadDeck{"exclusive_keys",
                sampler + "draws = 3\nthin = 2",
                "9:1",
                {"sampler.thin: excluded by sampler.draws (x.toml:8:1); remove one of them"}},
        BadDeck{"key_that_the_type_excludes",
                "[run]\ntask='sample'\n[model]\ntype='gaussian'\n[sampler]\ntype='hmc'\nstep_size=1\nwidth = 16",
                "8:1",
                {"sampler.width: does not apply to type \"hmc\"; remove it or change sampler.type"}},
        BadDeck{"former_name_beside_the_present_one",
                sampler + "eta = 0.2",
                "8:1",
                {"sampler.eta: the former name of sampler.step_size, which is given too (x.toml:7:1); remove eta"}},
        BadDeck{"former_name_of_a_key_of_another_type",
                "[run]\ntask='sample'\n[model]\ntype='gaussian'\n[sampler]\ntype='hmc'\nstep_size=1\neta = 0.2",
                "8:1",
                {"sampler.eta: not a key of type \"hmc\"; remove it, or change sampler.type to \"ula\""}},
        BadDeck{"key_of_another_task",
                "[run]\ntask='estimate'\nreproducible=true",
                "3:1",
                {"run.reproducible: does not apply to task \"estimate\", only to \"train\"; remove it or change run.task"}},
        BadDeck{"section_of_another_task",
                sampler + "[train]\nupdates=1\nno_key=1",
                "8:1",
                {"[train]: does not apply to task \"sample\", only to \"train\""}},
        BadDeck{"title_no_text", "title = 3\n" + sampler, "1:9", {"title = 3: must be text in quotes, not a whole number"}},
        BadDeck{"control_character_in_name", sampler + "\"a\\u0007\" = 1", "8:1", {"sampler.\"a\\u0007\": unknown key"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Syntax, BadDecks,
    testing::Values(
        BadDeck{
            "duplicate_key", sampler + "step_size = 0.2", "8:1", {"cannot redefine existing", "step_size", "it stands twice: remove one"}},
        BadDeck{"duplicate_section", sampler + "[run]\nseed=1", "8:1", {"cannot redefine existing", "run", "it stands twice: remove one"}},
        BadDeck{"no_leading_digit", start + "step_size = .5", "7:13", {"not valid TOML", "write 0.5"}},
        BadDeck{"no_trailing_digit", start + "step_size = 1.", "7:13", {"not valid TOML", "write 1.0"}},
        BadDeck{"fortran_exponent", start + "step_size = 1d-3", "7:13", {"not valid TOML", "write 1e-3"}},
        BadDeck{"leading_zero", sampler + "chains = 010", "8:10", {"not valid TOML", "write 10"}},
        BadDeck{"python_true", "[run]\ntask='train'\nreproducible = True", "3:16", {"not valid TOML", "write true"}},
        BadDeck{"yes", "[run]\ntask='train'\nreproducible = yes", "3:16", {"not valid TOML", "write true"}},
        BadDeck{"off", "[run]\ntask='train'\nreproducible = off", "3:16", {"not valid TOML", "write false"}},
        BadDeck{"unquoted_text", "[run]\ntask = sample\n", "2:8", {"not valid TOML", "put text in quotes: \"sample\""}},
        BadDeck{"unterminated_text", "[run]\ntask = \"sample\nseed=1", "2:15", {"not valid TOML", "close the quotes on the same line"}},
        BadDeck{"unterminated_last_text", "[run]\ntask = 'sample", "2:15", {"not valid TOML", "close the quotes"}},
        BadDeck{"backslash", "[run]\noutput = \"C:\\data\"", "2:14", {"not valid TOML", "\\\\ for a backslash"}},
        BadDeck{"missing_bracket_of_array", "[model]\nmean = [1, 2\ntype='gaussian'", "3:1", {"not valid TOML", "closing ']'"}},
        BadDeck{"missing_bracket_of_section", "[run\ntask='sample'", "1:5", {"not valid TOML", "expected ']'"}},
        BadDeck{"missing_equals", "[run]\ntask \"sample\"", "2:6", {"not valid TOML", "expected '='"}},
        BadDeck{"missing_value", "[run]\ntask =\nseed = 1", "2:7", {"not valid TOML", "expected value"}},
        BadDeck{"two_values", "[run]\nseed = 1 2", "2:10", {"not valid TOML", "write one key a line, several values in [brackets]"}},
        BadDeck{"two_keys", "[run]\nseed = 1 task = 'sample'", "2:10", {"not valid TOML", "write one key a line"}},
        BadDeck{"binary",
                "\x7f"
                "ELF\x02\x01\x01\n\x03",
                "1:1",
                {"not valid TOML", "a deck is text"}},
        BadDeck{"png", "\x89PNG\r\n\x1a\n", "1:1", {"not UTF-8 text (byte 0x89)"}},
        BadDeck{"nul", "[run]\ntask = 'sample'" + std::string(1, '\0'), "2:16", {"the character NUL"}},
        BadDeck{"invalid_utf8", "[run]\n# \xC3\xA9 \xFF", "2:5", {"not UTF-8 text (byte 0xff)"}},
        BadDeck{"overlong_utf8", "[run]\n#\xC0\x80", "2:2", {"not UTF-8 text (byte 0xc0)"}},
        BadDeck{"surrogate_utf8", "[run]\n#\xED\xA0\x80", "2:2", {"not UTF-8 text (byte 0xed)"}},
        BadDeck{"truncated_utf8", "[run]\n#\xF0\x9F\x98", "2:2", {"not UTF-8 text (byte 0xf0)"}},
        BadDeck{"bare_carriage_return", "[run]\rtask='sample'", "1:7", {"not valid TOML"}},
        BadDeck{"megabyte_of_a_word", "[run]\ntask = " + repeated("a", 1 << 20), "2:8", {"not valid TOML"}},
        BadDeck{"megabyte_of_a_text", "[run]\ntask = '" + repeated("\xC3\xA9", 1 << 19) + "'", "2:8", {"must be \"sample\""}},
        BadDeck{"megabyte_of_a_key", sampler + repeated("k", 1 << 20) + " = 1", "8:1", {"unknown key"}},
        BadDeck{"megabyte_of_an_array",
                "run.task='estimate'\nmodel.type='gaussian'\nmodel.mean = [" + repeated("1,", 1 << 19) + "'a']",
                "3:14",
                {"entry 524289 is text"}},
        BadDeck{"a_million_brackets", "[model]\nmean = " + repeated("[", 1000000), "2:264", {"values nested too deeply"}},
        BadDeck{"a_million_inline_tables", "[model]\nmean = " + repeated("{a=", 1000000), "2:776", {"values nested too deeply"}},
        BadDeck{"a_million_dots", "[model]\na" + repeated(".a", 1000000) + " = 1", "2:34", {"a key of more than 16 parts"}},
        BadDeck{"a_million_dots_in_a_header", "[a" + repeated(".a", 1000000) + "]", "1:35", {"a key of more than 16 parts"}},
        BadDeck{"dots_behind_a_text", "[model]\na = '''x''''\nb" + repeated(".\"b\"", 1000000), "3:66", {"a key of more than 16 parts"}}),
    name_of);

TEST(BadDeck, AllProblemsAreReportedAtOnceInOrder) {
  EXPECT_EQ(failure_of("[sampler]\ntype = 'ula'\nsteps = -1\nfriction = 0\n[run]\nsede = 1\ntask = 'sample'\n[model]\ntype = "
                       "'gaussian'\nmean = 0\n[plot]\n"),
            "x.toml:1:1: sampler.step_size: missing; must be a number, above 0 (step eta)\n"
            "x.toml:3:9: sampler.steps = -1: must be at least 0 (steps of each chain); see 'partita reference'\n"
            "x.toml:4:1: sampler.friction: not a key of type \"ula\"; remove it, or change sampler.type to \"hmc\"\n"
            "x.toml:6:1: run.sede: unknown key; did you mean \"seed\"?\n"
            "x.toml:10:8: model.mean = 0: must be an array of numbers, not a whole number (mu); write [0]\n"
            "x.toml:11:1: [plot]: unknown section; sections are run, model, sampler, train, estimator\n"
            "6 errors in the deck");
}

TEST(BadDeck, AnUnknownTaskHidesNoOtherProblem) {
  std::string const message =
      failure_of("[run]\ntask = 'dance'\nreproducible = true\n[sampler]\ntype='ula'\nstep_size=0\n[train]\nupdates=-1");
  EXPECT_THAT(message, HasSubstr("x.toml:2:8: run.task"));
  EXPECT_THAT(message, HasSubstr("x.toml:6:11: sampler.step_size"));
  EXPECT_THAT(message, HasSubstr("x.toml:8:9: train.updates"));
  EXPECT_THAT(message, testing::EndsWith("3 errors in the deck"));
}

TEST(BadDeck, AnUnknownTypeHidesOtherProblemsOfItsTypesOnly) {
  std::string const message = failure_of("[run]\ntask='train'\n[model]\ntype='x'\ndimension=-1\nlayer=1\n[sampler]\ntype='y'\nchains=0");
  EXPECT_THAT(message, HasSubstr("x.toml:6:1: model.layer: unknown key; did you mean \"layers\"?"));
  EXPECT_THAT(message, HasSubstr("x.toml:9:8: sampler.chains = 0"));
  EXPECT_THAT(message, testing::EndsWith("4 errors in the deck"));
}

}  // namespace
}  // namespace partita::deck
