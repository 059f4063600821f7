// What `check` accepts, `run` runs: a tiny deck of every model with every sampler, objective, generator and estimator of the catalogue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "core/log.hpp"
#include "core/require.hpp"
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
      {"hee", "widths = [2, 3, 3]\nf = \"tanh\""},
      {"hee", "widths = [2, 3, 3]\nphi = \"tanh\""},
      {"hee", "widths = [2, 3]\ng = \"quartic\""},
      {"hee", "widths = [2, 3]\ng = \"lateral\""},
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
      {"sampler.underdamped", {"step_size = 0.001"}},
      {"sampler.hmc", {"step_size = 0.001\nleapfrogs = 2"}},
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
      {"estimator.hee_relaxation", {"duration = 60.0\nchains = 4\nm = [0.5]"}},
      {"estimator.ais", {"chains = 4\ntemperatures = 4\nrungs = 2\nburn_in = 4"}},
      {"estimator.dbn_likelihood", {"items = 4\ndraws = 4\nchains = 4\ntemperatures = 4\nrungs = 2\nburn_in = 4"}},
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
  }
  ~Combinations() override {
    log::set_rank(0, 1);
    fs::current_path(testing::TempDir());
    fs::remove_all(folder_);
    std::printf("%d accepted, %d refused\n", accepted_, refused_);
  }

  std::string data(Tiny const& m) {
    std::string const path = fmt::format("items_{}_{}.csv", static_cast<int>(m.items), m.visible);
    if (!fs::exists(path)) {
      std::ofstream out(path);
      for (Index i = 0; i < 64; i++) {
        for (Index d = 0; d < m.visible; d++) {
          if (m.items == Items::ratings) out << fmt::format("{},{},{}\n", i, d, (i * 7 + d * 3) % 5 + 1);
          else if (m.items == Items::units) out << (d ? "," : "") << ((i * 5 + d * d * 3 + i * d) / 3) % 2;
          else out << (d ? "," : "") << std::sin(static_cast<double>(i * (d + 1)));
        }
        if (m.items != Items::ratings) out << "\n";
      }
    }
    if (m.items == Items::ratings) return fmt::format("[data]\ntype = \"ratings\"\npath = \"{}\"\n", path);
    return fmt::format("[data]\ntype = \"csv\"\npath = \"{}\"\nvalidation_fraction = 0.25\ntest_fraction = 0.25\n", path);
  }
  std::string points(Tiny const& m) {
    bool const signs = m.type == "hopfield";
    std::string const path = fmt::format("points_{}_{}_{}.h5", static_cast<int>(m.items), m.dimension, signs);
    if (!fs::exists(path)) {
      std::vector<float> x;
      for (Index i = 0; i < 32 * m.dimension; i++)
        x.push_back(m.items == Items::units ? static_cast<float>(i / 3 % 2) : static_cast<float>(std::sin(static_cast<double>(i))));
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

  void expect_runs_or_is_refused(std::string const& text) {
    std::ofstream("deck.toml") << text;
    try {
      read_deck(text, "deck.toml", {});
    } catch (Failure const& f) {
      refused_++;
      EXPECT_EQ(f.code(), ExitCode::usage) << f.what();
      EXPECT_THAT(f.what(), testing::ContainsRegex("deck.toml:[0-9]+:[0-9]+: ")) << text;
      return;
    }
    accepted_++;
    fs::remove_all("run");
    Arguments a;
    a.command = "run", a.deck = "deck.toml";
    try {
      EXPECT_EQ(run(a, Communicator::world()), 0) << text;
    } catch (std::exception const& f) {
      ADD_FAILURE() << f.what() << "\n" << text;
    }
    log::set_rank(1, 1);
  }

  fs::path folder_;
  int accepted_ = 0, refused_ = 0;
};

constexpr char chains[] = "chains = 32\nsteps = 20\nwarmup = 10\nthin = 2\n";

TEST_F(Combinations, EveryModelIsHere) {
  for (std::string const& type : types("model"))
    EXPECT_TRUE(std::any_of(tiny_models().begin(), tiny_models().end(), [&](Tiny const& m) { return m.type == type; })) << type;
}

TEST_F(Combinations, Samplers) {
  for (Tiny const& m : tiny_models())
    for (std::string const& type : types("sampler"))
      for (std::string const& keys : variants("sampler", type))
        for (bool with_data : {false, true})
          expect_runs_or_is_refused(run_block("sample") + model(m) + (with_data ? data(m) : "") + block("sampler", type, chains + keys));
}

TEST_F(Combinations, Objectives) {
  for (Tiny const& m : tiny_models())
    for (std::string const& type : types("objective"))
      for (std::string const& keys : variants("objective", type)) {
        std::string const learning =
            run_block("train") + model(m) + block("objective", type, keys) + "[train]\nbatch = 16\nupdates = 4\n" + data(m);
        expect_runs_or_is_refused(learning);
        for (std::string const& sampler : types("sampler"))
          for (std::string const& sampler_keys : variants("sampler", sampler))
            expect_runs_or_is_refused(learning + block("sampler", sampler, sampler_keys));
      }
}

TEST_F(Combinations, Generators) {
  for (Tiny const& m : tiny_models())
    for (std::string const& type : types("generator"))
      for (std::string const& keys : variants("generator", type)) {
        std::string const making = run_block("generate") + model(m) + block("generator", type, "samples = 32\n" + keys) + data(m);
        expect_runs_or_is_refused(making);
        for (std::string const& sampler : types("sampler"))
          for (std::string const& sampler_keys : variants("sampler", sampler))
            expect_runs_or_is_refused(making + block("sampler", sampler, sampler_keys));
      }
}

TEST_F(Combinations, Estimators) {
  for (Tiny const& m : tiny_models())
    for (std::string const& type : types("estimator"))
      for (std::string const& keys : variants("estimator", type))
        for (bool with_data : {false, true})
          expect_runs_or_is_refused(run_block("estimate") + model(m) + points(m) + (with_data ? data(m) : "") +
                                    fmt::format("[[estimator]]\ntype = \"{}\"\n{}\n", type, keys));
}

}  // namespace
}  // namespace partita
