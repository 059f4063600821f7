#include <hdf5_hl.h>

#include <cmath>
#include <fstream>

#include "io/hdf5.hpp"
#include "io/history.hpp"
#include "scratch.hpp"

using namespace partita;

namespace {
Provenance const provenance{"seed = 1\n", "0.1.0-deadbeef", "0.1.0", 1};
}

TEST(History, RowsComeBackAndLaterOnesAreCut) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  {
    History history(run, scratch.ranks, provenance);
    history.define("energy_gap", "difference of mean energies");
    history.define("seconds", "wall time", SeriesKind::timing);
    history.record(10, {{"energy_gap", 1.5}, {"seconds", 0.1}});
    history.flush();
    history.record(20, {{"energy_gap", 2.5}});
    history.record(20, {{"late", -1}});
    history.record(Index{1} << 40, {{"late", -2}});
    history.flush();
  }
  scratch.ranks.barrier();
  auto const file = hdf5::File::open(run.history());
  EXPECT_EQ(file.names(), (std::vector<std::string>{"energy_gap", "late", "seconds", "step"}));
  EXPECT_EQ(file.text_attribute("inference_library"), "partita");
  EXPECT_EQ(file.dataset("energy_gap").text_attribute("doc"), "difference of mean energies");
  EXPECT_EQ(file.dataset("seconds").attribute<std::int32_t>("timing"), 1);
  EXPECT_EQ(file.dataset("energy_gap").attribute<std::int32_t>("timing"), 0);
  EXPECT_GT(H5DSis_scale(file.dataset("step").id()), 0);
  EXPECT_GT(H5DSis_attached(file.dataset("late").id(), file.dataset("step").id(), 0), 0);
  EXPECT_EQ(file.dataset("step").read<Index>(), (std::vector<Index>{10, 20, Index{1} << 40}));

  History restored(run, scratch.ranks, provenance);
  restored.define("energy_gap", "difference of mean energies");
  restored.restore(25);
  restored.record(30, {{"energy_gap", 3.5}});
  if (!scratch.ranks.is_root()) return;
  EXPECT_EQ(restored.steps(), (std::vector<Index>{10, 20, 30}));
  EXPECT_EQ(restored.series("energy_gap"), (std::vector<double>{1.5, 2.5, 3.5}));
  EXPECT_TRUE(std::isnan(restored.series("late")[0]));
  EXPECT_EQ(restored.series("late")[1], -1);
  EXPECT_TRUE(std::isnan(restored.series("seconds")[2]));
}

TEST(History, OfAnEarlierVersionGoesOnUnderPresentNames) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  {
    History history(run, scratch.ranks, provenance);
    history.define("d_s", "difference of mean energies");
    history.record(10, {{"d_s", 1.5}});
    history.flush();
  }
  scratch.ranks.barrier();
  History restored(run, scratch.ranks, provenance);
  restored.define("energy_gap", "d_s, difference of mean energies", SeriesKind::result, "d_s");
  restored.restore(10);
  restored.record(20, {{"energy_gap", 2.5}});
  restored.flush();
  auto const file = hdf5::File::open(run.history());
  EXPECT_EQ(file.names(), (std::vector<std::string>{"energy_gap", "step"}));
  EXPECT_EQ(file.dataset("energy_gap").read<double>(), (std::vector<double>{1.5, 2.5}));
  EXPECT_EQ(file.dataset("energy_gap").text_attribute("doc"), "d_s, difference of mean energies");
}

// A checkpoint at a step with a row: it stays, and goes on with the next.
TEST(History, RestoredAtARecordedStepItKeepsItsRow) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  {
    History history(run, scratch.ranks, provenance);
    for (Index step : {10, 20, 30}) history.record(step, {{"energy_gap", double(step)}});
    history.flush();
  }
  scratch.ranks.barrier();
  History restored(run, scratch.ranks, provenance);
  restored.restore(20);
  restored.record(40, {{"energy_gap", 40}});
  if (!scratch.ranks.is_root()) return;
  EXPECT_EQ(restored.steps(), (std::vector<Index>{10, 20, 40}));
  EXPECT_EQ(restored.series("energy_gap"), (std::vector<double>{10, 20, 40}));
}

// history.h5 lost or damaged: the rows of the one before; both: none. Each with a warning, and the run goes on.
TEST(History, ALostOrDamagedOneCostsRows) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  auto const write = [&] {
    History history(run, scratch.ranks, provenance);
    history.record(10, {{"energy_gap", 1}});
    history.flush();
    history.record(20, {{"energy_gap", 2}});
    history.flush();
    history.record(30, {{"energy_gap", 3}});
    history.flush();
    scratch.ranks.barrier();
  };
  auto const flip = [](Path const& path, std::streamoff at) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(at);
    char const byte = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(byte);
  };
  struct Case {
    char const* name;
    std::function<void()> damage;
    std::vector<Index> rows;
  };
  for (Case const& c : std::vector<Case>{{"a flipped bit", [&] { flip(run.history(), 1000); }, {10, 20}},
                                         {"removed", [&] { std::filesystem::remove(run.history()); }, {10, 20}},
                                         {"emptied", [&] { std::filesystem::resize_file(run.history(), 0); }, {10, 20}},
                                         {"no manifest", [&] { std::filesystem::remove(manifest_of(run.history())); }, {10, 20}},
                                         {"a kill before the new file had its name",
                                          [&] { keep_second_name(manifest_of(run.earlier_history()), manifest_of(run.history())); },
                                          {10, 20}},
                                         {"the one before damaged", [&] { flip(run.earlier_history(), 500); }, {10, 20, 30}},
                                         {"both damaged",
                                          [&] {
                                            flip(run.history(), 500);
                                            std::filesystem::remove(run.earlier_history());
                                          },
                                          {}}}) {
    SCOPED_TRACE(c.name);
    write();
    on_root(scratch.ranks, c.damage);
    History restored(run, scratch.ranks, provenance);
    restored.define("energy", "");
    testing::internal::CaptureStderr();
    restored.restore(35);
    std::string const warnings = testing::internal::GetCapturedStderr();
    restored.record(40, {{"energy_gap", 4}});
    restored.flush();
    if (!scratch.ranks.is_root()) continue;
    auto rows = c.rows;
    EXPECT_EQ(warnings.empty(), rows.size() == 3) << warnings;
    rows.push_back(40);
    EXPECT_EQ(restored.steps(), rows);
    EXPECT_EQ(restored.series("energy_gap").size(), rows.size());
  }
}

TEST(History, EmptyOneIsAFileToo) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  History history(run, scratch.ranks, provenance);
  history.define("energy_gap", "");
  history.flush();
  history.restore(100);
  EXPECT_TRUE(history.steps().empty());
}
