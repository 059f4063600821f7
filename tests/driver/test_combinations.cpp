// What `check` accepts, `run` runs: a tiny deck of every model with every sampler, objective, generator, estimator and target of the
// catalogue, and such decks with other values of their keys. A run that refuses a deck after its check is a failure here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "core/log.hpp"
#include "core/memory.hpp"
#include "core/require.hpp"
#include "driver/fitting.hpp"
#include "driver/registry.hpp"
#include "driver/run.hpp"
#include "io/collective_file.hpp"

namespace partita {
namespace {
namespace fs = std::filesystem;

enum class Items { none, reals, units, ratings };

// A small model of a type; its data and points fit it.
struct Tiny {
  std::string type, keys;
  Items items = Items::reals;
  Index visible = 2, dimension = 2;  // of items, and of points with hidden units
};

std::vector<Tiny> const& tiny_models() {
  static std::vector<Tiny> const all{
      {"gaussian", ""},
      {"double_well", "dimension = 2"},
      {"gaussian_mixture", ""},
      {"many_well", "dimension = 2"},
      {"mueller_brown", ""},
      {"funnel", "dimension = 2"},
      {"banana", ""},
      {"phi4", "dimension = 2"},
      {"mlp", "layers = [2, 8, 1]\nquadratic = 1.0"},
      {"mlp", "layers = [2, 8, 1]\nquadratic = 1.0\nnoise_levels = 3"},
      {"score_mlp", "layers = [2, 8, 2]\nquadratic = 1.0"},
      {"score_mlp", "layers = [2, 8, 2]\nquadratic = 1.0\nnoise_levels = 3"},
      {"gaussian_mrf", "rows = 1\ncolumns = 2\nperiodic = false"},
      {"rbm", "visible = 4\nhidden = 3", Items::units, 4, 4},
      {"rbm", "visible = 2\nhidden = 3\nvisible_units = \"gaussian\""},
      {"rbm", "visible = 2\nhidden = 3\nvisible_units = \"gaussian\"\nparametrisation = \"A\"\nlearn_variance = true"},
      {"softmax_rbm", "items = 6\nlevels = 5\nhidden = 2", Items::ratings, 6, 6},
      {"boltzmann_machine", "visible = 4", Items::units, 4, 4},
      {"boltzmann_machine", "visible = 4\nhidden = 2", Items::units, 4, 6},
      {"boltzmann_machine", "visible = 4\nhidden = 2\nconnections = [\"between\"]", Items::units, 4, 6},
      {"ising_lattice", "rows = 2\ncolumns = 2\nperiodic = false", Items::units, 4, 4},
      {"deep_belief_network", "layers = [4, 3, 2]", Items::units, 4, 4},
      {"hopfield", "units = 4\npatterns = 2\nbeta = 1.0", Items::units, 4, 4},
      {"hopfield", "units = 4\nbeta = 1.0", Items::units, 4, 4},
      {"modern_hopfield", "dimension = 2\npatterns = 2"},
      {"modern_hopfield", "dimension = 2"},
      {"hee", "widths = [2, 3]"},
      {"hee", "widths = [2, 3, 3]\nactivation = \"tanh\""},
      {"hee", "widths = [2, 3, 3]\nstatistic = \"tanh\""},
      {"hee", "widths = [2, 3]\nbase_measure = \"quartic\""},
      {"hee", "widths = [2, 3]\nbase_measure = \"lateral\""},
      {"nice", "dimension = 2\ncouplings = 2\nhidden = [4]"},
      {"nice", "dimension = 2\nlatent_dimension = 3\ncouplings = 2\nhidden = [4]"},
  };
  return all;
}

// Keys beside `type` that an entry needs, or that keep it short.
std::map<std::string, std::vector<std::string>> const& short_keys() {
  static std::map<std::string, std::vector<std::string>> const all{
      {"sampler.ula", {"step_size = 1e-6"}},
      {"sampler.leimkuhler_matthews", {"step_size = 1e-6"}},
      {"sampler.mala", {"step_size = 1e-6"}},
      {"sampler.barker", {"step_size = 1e-3"}},
      {"sampler.underdamped", {"step_size = 0.001"}},
      {"sampler.hmc", {"step_size = 0.001\nleapfrog_steps = 2"}},
      {"sampler.mclmc", {"step_size = 1e-3"}},
      {"sampler.mams", {"step_size = 0.1\ntrajectory_length = 0.3"}},
      {"sampler.annealed_langevin", {"step_size = 0.0001\nlevel_steps = 3"}},
      {"sampler.replica_exchange",
       {"moves = \"gibbs\"\nrungs = 2", "moves = \"mala\"\nstep_size = 1e-6\nrungs = 2", "moves = \"ula\"\nstep_size = 1e-6\nrungs = 2",
        "moves = \"hmc\"\nstep_size = 1e-6\nrungs = 2"}},
      {"sampler.langevin_gibbs", {"step_size = 0.1\nlangevin_steps = 2"}},
      {"objective.contrastive_divergence", {"sampler_steps = 2"}},
      {"objective.persistent_cd", {"sampler_steps = 2\nchains = 32"}},
      {"objective.denoising_score_matching", {"", "sigma = [0.1]"}},
      {"objective.greedy_cd", {"sampler_steps = 2\nchains = 32"}},
      {"objective.hee_local", {"steps_per_update = 2\nsteps_per_batch = 4"}},
      {"generator.hee_joint", {"duration = 0.4\naverage_over = 0.2"}},
      {"generator.hee_marginal", {"duration = 0.4\naverage_over = 0.2"}},
      {"generator.hee_posterior", {"duration = 0.4\naverage_over = 0.2"}},
      {"generator.dbn_top_down", {"steps = 5"}},
      {"generator.flow_metropolis", {"steps = 5", "steps = 5\nsampler_steps = 1"}},
      {"estimator.probability", {"below = 0.0"}},
      {"estimator.energy_distance", {"points = 8\nsplits = 2"}},
      {"estimator.sliced_wasserstein", {"points = 8\nprojections = 4"}},
      {"estimator.energy_grid", {"points = 5"}},
      {"estimator.score_grid", {"points = 5"}},
      {"estimator.flow", {"samples = 64\nbins = 10\ncells = 2"}},
      {"estimator.log_likelihood", {"items = 4\ntemperatures = 4\nchains = 4"}},
      {"estimator.reconstruction", {"items = 4\nduration = 0.4\naverage_over = 0.2"}},
      {"estimator.hee_hessian", {"", "layers = [1, 2]\nunits = 6\nrepeats = 2"}},
      {"estimator.hee_relaxation", {"duration = 60.0\nchains = 4\nadaptation = [0.5]"}},
      {"estimator.ais", {"chains = 4\ntemperatures = 4\nrungs = 2\nwarmup = 4"}},
      {"estimator.dbn_likelihood", {"items = 4\ndraws = 4\nchains = 4\ntemperatures = 4\nrungs = 2\nwarmup = 4"}},
      {"estimator.hopfield_capacity", {"units = 20\nnetworks = 1\nsweeps = 2"}},
      {"estimator.modern_retrieval", {"queries = 4"}},
  };
  return all;
}

std::vector<std::string> variants(std::string const& section, std::string const& type) {
  auto const found = short_keys().find(section + "." + type);
  return found == short_keys().end() ? std::vector<std::string>{""} : found->second;
}

std::vector<std::string> types(std::string const& section) {
  std::vector<std::string> out;
  for (deck::Section const& s : catalogue().sections)
    if (s.name == section)
      for (deck::Schema const& t : s.types) out.push_back(t.type);
  return out;
}

class Combinations : public testing::Test {
 protected:
  Combinations() : folder_(fs::path(testing::TempDir()) / ("partita combinations " + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fs::current_path(folder_);
    log::set_rank(1, 1);  // what the runs say is of no interest
    ::setenv("PARTITA_CHECK_IS_COMPLETE", "1", 1);
  }
  ~Combinations() override {
    log::set_rank(0, 1);
    fs::current_path(testing::TempDir());
    fs::remove_all(folder_);
    std::printf("%d accepted, %d refused\n", accepted_, refused_);
  }

  std::string data(Tiny const& m) {
    std::string const path = fmt::format("items_{}_{}.csv", int(m.items), m.visible);
    if (!fs::exists(path)) {
      std::ofstream out(path);
      for (Index i = 0; i < 64; i++) {
        for (Index d = 0; d < m.visible; d++) {
          if (m.items == Items::ratings) out << fmt::format("{},{},{}\n", i, d, (i * 7 + d * 3) % 5 + 1);
          else if (m.items == Items::units) out << (d ? "," : "") << ((i * 5 + d * d * 3 + i * d) / 3) % 2;
          else out << (d ? "," : "") << std::sin(double(i * (d + 1)));
        }
        if (m.items != Items::ratings) out << "\n";
      }
    }
    if (m.items == Items::ratings) return fmt::format("[data]\ntype = \"ratings\"\npath = \"{}\"\n", path);
    return fmt::format("[data]\ntype = \"csv\"\npath = \"{}\"\nvalidation_fraction = 0.25\ntest_fraction = 0.25\n", path);
  }
  std::string points(Tiny const& m) {
    bool const signs = m.type == "hopfield";
    std::string const path = fmt::format("points_{}_{}_{}.h5", int(m.items), m.dimension, signs);
    if (!fs::exists(path)) {
      std::vector<float> x;
      for (Index i = 0; i < 32 * m.dimension; i++) x.push_back(m.items == Items::units ? float(i / 3 % 2) : float(std::sin(double(i))));
      if (signs)
        for (float& v : x) v = v > 0 ? 1 : -1;
      write_alone(path, [&](hdf5::File const& file) { file.create_dataset("x", hdf5::native_type<float>(), {32, m.dimension}).write(x); });
    }
    return fmt::format("[input]\npath = \"{}\"\n", path);
  }
  std::string model(Tiny const& m) {
    std::string out = fmt::format("[model]\ntype = \"{}\"\n{}\n", m.type, m.keys);
    return m.type == "nice" ? out + "[target]\ntype = \"gaussian\"\n" : out;
  }
  std::string run_block(std::string const& task) { return fmt::format("[run]\ntask = \"{}\"\noutput = \"run\"\n", task); }
  std::string block(std::string const& section, std::string const& type, std::string const& keys) {
    return fmt::format("[{}]\ntype = \"{}\"\n{}\n", section, type, keys);
  }

  // As `partita check` has it: the refusal, or nothing.
  std::optional<Failure> refusal(std::string const& text, std::vector<std::string> const& overrides = {}) {
    std::ofstream("checked.toml") << fmt::format("{}# --set {}\n", text, fmt::join(overrides, " --set "));  // stays there after a crash
    try {
      auto const document = deck::read(text, "deck.toml", catalogue(), overrides);
      Inputs inputs;
      with_memory_failures([&] { load_and_check(document, LookAt::files, Communicator::world(), inputs); });
    } catch (Failure const& f) {
      return f;
    }
    return {};
  }
  // The exit code of a run.
  ExitCode outcome(std::string const& text, std::vector<std::string> const& overrides, std::string& message) {
    std::ofstream("deck.toml") << text;
    fs::remove_all("run");
    Arguments a;
    a.command = "run", a.deck = "deck.toml", a.overrides = overrides;
    ExitCode code = ExitCode::internal;
    try {
      code = static_cast<ExitCode>(run(a, Communicator::world()));
    } catch (Failure const& f) {
      message = f.what(), code = f.code();
    }
    log::set_rank(1, 1);
    return code;
  }

  // Of all tests so far.
  static std::vector<std::string>& accepted_decks() {
    static std::vector<std::string> all;
    return all;
  }
  void expect_runs_or_is_refused(std::string const& text) {
    if (auto const f = refusal(text)) {
      refused_++;
      EXPECT_EQ(f->code(), ExitCode::usage) << f->what();
      EXPECT_THAT(f->what(), testing::ContainsRegex("deck.toml:[0-9]+:[0-9]+: ")) << text;
      return;
    }
    accepted_++;
    accepted_decks().push_back(text);
    std::string message;
    EXPECT_EQ(outcome(text, {}, message), ExitCode::done) << message << "\n" << text;
  }

  fs::path folder_;
  int accepted_ = 0, refused_ = 0;
};

constexpr char chains[] = "chains = 32\nsteps = 20\nwarmup = 10\nthin = 2\n";

TEST_F(Combinations, EveryModelIsHere) {
  for (std::string const& type : types("model"))
    EXPECT_TRUE(std::any_of(tiny_models().begin(), tiny_models().end(), [&](Tiny const& m) { return m.type == type; })) << type;
}

// Every deck of a kind, accepted or not.
using Decks = std::vector<std::string>;

class Kinds : public Combinations {
 protected:
  Decks with_samplers() {
    Decks out;
    for (Tiny const& m : tiny_models())
      for (std::string const& type : types("sampler"))
        for (std::string const& keys : variants("sampler", type))
          for (bool with_data : {false, true})
            out.push_back(run_block("sample") + model(m) + (with_data ? data(m) : "") + block("sampler", type, chains + keys));
    return out;
  }
  // `first`, and with each sampler.
  void add_with_samplers(std::string const& first, Decks& out) {
    out.push_back(first);
    for (std::string const& sampler : types("sampler"))
      for (std::string const& keys : variants("sampler", sampler)) out.push_back(first + block("sampler", sampler, keys));
  }
  Decks with_objectives() {
    Decks out;
    for (Tiny const& m : tiny_models())
      for (std::string const& type : types("objective"))
        for (std::string const& keys : variants("objective", type))
          add_with_samplers(run_block("train") + model(m) + block("objective", type, keys) + "[train]\nbatch = 16\nupdates = 4\n" + data(m),
                            out);
    return out;
  }
  Decks with_generators() {
    Decks out;
    for (Tiny const& m : tiny_models())
      for (std::string const& type : types("generator"))
        for (std::string const& keys : variants("generator", type))
          add_with_samplers(run_block("generate") + model(m) + block("generator", type, "samples = 32\n" + keys) + data(m), out);
    return out;
  }
  Decks with_estimators() {
    Decks out;
    for (Tiny const& m : tiny_models())
      for (std::string const& type : types("estimator"))
        for (std::string const& keys : variants("estimator", type))
          for (bool with_data : {false, true})
            out.push_back(run_block("estimate") + model(m) + points(m) + (with_data ? data(m) : "") +
                          fmt::format("[[estimator]]\ntype = \"{}\"\n{}\n", type, keys));
    return out;
  }
  // A flow to every energy that a flow may have.
  Decks with_targets() {
    Decks out;
    auto const allowed = types("target");
    for (Tiny const& m : tiny_models()) {
      if (std::find(allowed.begin(), allowed.end(), m.type) == allowed.end()) continue;
      std::string const flow = "[model]\ntype = \"nice\"\ndimension = 2\ncouplings = 2\nhidden = [4]\n" + block("target", m.type, m.keys);
      for (std::string const& type : types("generator"))
        for (std::string const& keys : variants("generator", type))
          add_with_samplers(run_block("generate") + flow + block("generator", type, "samples = 32\n" + keys), out);
      for (std::string const& type : types("objective"))
        out.push_back(run_block("train") + flow + block("objective", type, "") + "[train]\nbatch = 16\nupdates = 4\n");
      out.push_back(run_block("estimate") + flow + "[[estimator]]\ntype = \"flow\"\nsamples = 64\nbins = 10\ncells = 2\n");
    }
    return out;
  }
  void expect_run_or_refused(Decks const& decks) {
    for (std::string const& deck : decks) expect_runs_or_is_refused(deck);
  }
};

TEST_F(Kinds, Samplers) { expect_run_or_refused(with_samplers()); }
TEST_F(Kinds, Objectives) { expect_run_or_refused(with_objectives()); }
TEST_F(Kinds, Generators) { expect_run_or_refused(with_generators()); }
TEST_F(Kinds, Estimators) { expect_run_or_refused(with_estimators()); }
TEST_F(Kinds, Targets) { expect_run_or_refused(with_targets()); }

// Other values of the keys of decks that are accepted: of one to three keys at once.
class Values : public Kinds {
 protected:
  template <class T>
  T one_of(std::vector<T> const& all) {
    return all[std::uniform_int_distribution<std::size_t>(0, all.size() - 1)(random_)];
  }
  // Sizes that a run of milliseconds can have, or, with `extreme`, any.
  std::string whole_number(bool extreme) {
    return extreme ? one_of<std::string>({"-1", "10000000000000", "1099511627776", "268435456", "9223372036854775807"})
                   : one_of<std::string>({"0", "1", "2", "3", "5", "16", "17", "32", "33", "48", "97"});
  }
  std::string number(bool extreme) {
    return extreme ? one_of<std::string>({"-1.0", "1e300", "1e-300", "-1e300", "nan", "inf"})
                   : one_of<std::string>({"0.0", "0.01", "0.1", "0.3", "0.5", "1.0", "2.0", "3.0"});
  }
  template <class One>
  std::string array(One const& one) {
    std::string out;
    for (int n = std::uniform_int_distribution<int>(0, 4)(random_); n > 0; n--) out += one() + (n > 1 ? ", " : "");
    return "[" + out + "]";
  }
  std::string text(deck::Key const& key) {
    if (!key.choices.empty()) return "\"" + one_of(key.choices) + "\"";
    return "\"" + one_of<std::string>({"", "nowhere.h5", "points_1_4_0.h5", "points_0_2_0.h5", "items_0_2.csv", "items_1_4.csv", "1s"}) +
           "\"";
  }
  std::string value(deck::Key const& key, bool extreme) {
    switch (key.default_value.index()) {
      case 0:
        return one_of<std::string>({"true", "false"});
      case 1:
        return whole_number(extreme);
      case 2:
        return number(extreme);
      case 3:
        return text(key);
      case 4:
        return array([&] { return number(extreme); });
      case 5:
        return array([&] { return whole_number(extreme); });
      default:
        return array([&] { return text(key); });
    }
  }
  // "section.key=value", of a block that stands in the deck.
  std::string mutation(deck::Document const& document, bool extreme) {
    std::vector<std::pair<std::string, deck::Key const*>> keys;
    for (deck::Block const& b : document.blocks)
      for (auto const& e : b.entries)
        if ((b.given || b.section == "train" || b.section == "optimizer") && b.section != "run" && b.section != "checkpoint")
          keys.emplace_back(b.section + (b.repeated ? ".0." : ".") + e.key->name, e.key);
    auto const [name, key] = one_of(keys);
    return name + "=" + value(*key, extreme);
  }
  std::mt19937 random_{20261130};
};

TEST_F(Values, OfAcceptedDecks) {
  constexpr int trials = 400;
  Decks& accepted = accepted_decks();
  if (accepted.empty())  // this test alone
    for (Decks const& kind : {with_samplers(), with_estimators()})
      for (std::string const& deck : kind)
        if (!refusal(deck)) accepted.push_back(deck);
  for (int trial = 0; trial < trials; trial++) {
    std::string const deck = one_of(accepted);
    bool const extreme = trial % 8 == 0;  // those are checked, but not run
    auto const document = deck::read(deck, "deck.toml", catalogue());
    std::vector<std::string> overrides;
    for (int n = std::uniform_int_distribution<int>(1, 3)(random_); n > 0; n--) overrides.push_back(mutation(document, extreme));
    std::string const shown = fmt::format("{}\n--set {}", deck, fmt::join(overrides, " --set "));
    auto const refused = refusal(deck, overrides);
    (refused ? refused_ : accepted_)++;
    if (refused) {
      bool const too_large = extreme && refused->code() == ExitCode::storage;  // memory
      EXPECT_TRUE(refused->code() == ExitCode::usage || refused->code() == ExitCode::data || too_large) << refused->what() << "\n" << shown;
    }
    if (refused || extreme) continue;
    std::string message;
    ExitCode const code = outcome(deck, overrides, message);
    EXPECT_TRUE(code == ExitCode::done || code == ExitCode::numerical) << int(code) << ": " << message << "\n" << shown;
  }
}

TEST(Conditions, NameKeysOfTheirBlock) {
  for (deck::Section const& section : catalogue().sections) {
    auto const check = [&](deck::Key const& key, std::vector<deck::Key> const& beside) {
      if (!key.condition) return;
      auto const other = std::find_if(beside.begin(), beside.end(), [&](deck::Key const& k) { return k.name == key.condition->key; });
      ASSERT_NE(other, beside.end()) << section.name << "." << key.name;
      for (deck::Value const& v : key.condition->values) {
        EXPECT_EQ(v.index(), other->default_value.index()) << section.name << "." << key.name;
        EXPECT_EQ(other->problem(v), "") << section.name << "." << key.name;
      }
    };
    for (deck::Key const& key : section.common) check(key, section.common);
    for (deck::Schema const& type : section.types)
      for (deck::Key const& key : type.keys) check(key, type.keys);
  }
}

// A former name that another key of the block has, now or then, would take that key's place.
TEST(FormerNames, AreOfOneKeyOrTypeOnly) {
  auto const expect_distinct = [](std::vector<std::string> names, std::string const& where) {
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end()) << where;
  };
  for (deck::Section const& section : catalogue().sections) {
    std::vector<std::string> types;
    for (deck::Schema const& type : section.types.empty() ? std::vector<deck::Schema>(1) : section.types) {
      types.push_back(type.type);
      types.insert(types.end(), type.former_types.begin(), type.former_types.end());
      std::vector<std::string> names;
      for (std::vector<deck::Key> const& keys : {section.common, type.keys})
        for (deck::Key const& key : keys) {
          names.push_back(key.name);
          names.insert(names.end(), key.former_names.begin(), key.former_names.end());
        }
      expect_distinct(names, section.name + " " + type.type);
    }
    expect_distinct(types, section.name);
  }
}

}  // namespace
}  // namespace partita
