#include <hdf5_hl.h>

#include <cmath>

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
  {
    History history(run, scratch.ranks, provenance);
    history.define("d_s", "difference of mean energies");
    history.define("seconds", "wall time", SeriesKind::timing);
    history.record(10, {{"d_s", 1.5}, {"seconds", 0.1}});
    history.flush();
    history.record(20, {{"d_s", 2.5}});
    history.record(20, {{"late", -1}});
    history.record(Index{1} << 40, {{"late", -2}});
    history.flush();
  }
  scratch.ranks.barrier();
  auto const file = hdf5::File::open(run.history());
  EXPECT_EQ(file.names(), (std::vector<std::string>{"d_s", "late", "seconds", "step"}));
  EXPECT_EQ(file.text_attribute("inference_library"), "partita");
  EXPECT_EQ(file.dataset("d_s").text_attribute("doc"), "difference of mean energies");
  EXPECT_EQ(file.dataset("seconds").attribute<std::int32_t>("timing"), 1);
  EXPECT_EQ(file.dataset("d_s").attribute<std::int32_t>("timing"), 0);
  EXPECT_GT(H5DSis_scale(file.dataset("step").id()), 0);
  EXPECT_GT(H5DSis_attached(file.dataset("late").id(), file.dataset("step").id(), 0), 0);
  EXPECT_EQ(file.dataset("step").read<Index>(), (std::vector<Index>{10, 20, Index{1} << 40}));

  History restored(run, scratch.ranks, provenance);
  restored.define("d_s", "difference of mean energies");
  restored.restore(25);
  restored.record(30, {{"d_s", 3.5}});
  if (!scratch.ranks.is_root()) return;
  EXPECT_EQ(restored.steps(), (std::vector<Index>{10, 20, 30}));
  EXPECT_EQ(restored.series("d_s"), (std::vector<double>{1.5, 2.5, 3.5}));
  EXPECT_TRUE(std::isnan(restored.series("late")[0]));
  EXPECT_EQ(restored.series("late")[1], -1);
  EXPECT_TRUE(std::isnan(restored.series("seconds")[2]));
}

// A checkpoint at a step with a row: it stays, and goes on with the next.
TEST(History, RestoredAtARecordedStepItKeepsItsRow) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  {
    History history(run, scratch.ranks, provenance);
    for (Index step : {10, 20, 30}) history.record(step, {{"d_s", static_cast<double>(step)}});
    history.flush();
  }
  scratch.ranks.barrier();
  History restored(run, scratch.ranks, provenance);
  restored.restore(20);
  restored.record(40, {{"d_s", 40}});
  if (!scratch.ranks.is_root()) return;
  EXPECT_EQ(restored.steps(), (std::vector<Index>{10, 20, 40}));
  EXPECT_EQ(restored.series("d_s"), (std::vector<double>{10, 20, 40}));
}

TEST(History, EmptyOneIsAFileToo) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  History history(run, scratch.ranks, provenance);
  history.define("d_s", "");
  history.flush();
  history.restore(100);
  EXPECT_TRUE(history.steps().empty());
}
