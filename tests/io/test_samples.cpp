#include <hdf5_hl.h>

#include <cmath>
#include <fstream>

#include "core/copy.hpp"
#include "io/checkpoint.hpp"
#include "io/sample_reader.hpp"
#include "io/samples.hpp"
#include "scratch.hpp"

using namespace partita;

namespace {

constexpr Index dimension = 3, per_part = 4;

Real x_of(Index chain, Index draw, Index i) { return Real(1000 * chain + draw) + Real(0.125) * Real(i); }
Real energy_of(Index chain, Index draw) { return Real(0.5) * Real(chain) + Real(draw); }
Index step_of(Index draw) { return (Index{1} << 33) + 10 * draw; }

// Three tiles, the last one narrow; or two tiles, so that one of three ranks has none.
class Samples : public testing::TestWithParam<Index> {
 protected:
  Samples() { run.create(ranks); }

  SampleWriter writer() const {
    return {run,
            ranks,
            {tiling,
             mine,
             {{"x", dimension}},
             {{"energy", StoredAs::real64, "E(x), in units of kT"},
              {"acceptance_rate", StoredAs::real32, "accepted over proposed moves"},
              {"diverging", StoredAs::flag, "reinitialised since the last draw"}},
             per_part,
             {1, dimension}},
            {"seed = 1  # µ\n", "0.1.0-deadbeef", "0.1.0", 1}};
  }
  void append(SampleWriter& w, Index draw) const {
    auto const count = std::size_t(mine.count), pitch = std::size_t(tiling.pitch());
    Kokkos::View<Real***, Kokkos::LayoutRight, Kokkos::HostSpace> x("x", count, dimension, pitch);
    Kokkos::View<Real**, Kokkos::LayoutRight, Kokkos::HostSpace> energy("energy", count, pitch), acceptance("acceptance", count, pitch),
        diverging("diverging", count, pitch);
    Real const nan = std::numeric_limits<Real>::quiet_NaN();
    fill_array(x, nan);  // lanes that are no chains must not be seen
    fill_array(energy, nan);
    for (Index t = 0; t < mine.count; t++)
      for (Index lane = 0; lane < tiling.chains_in(mine.first + t); lane++) {
        Index const chain = tiling.first_chain(mine.first + t) + lane;
        for (Index i = 0; i < dimension; i++) x(t, i, lane) = x_of(chain, draw, i);
        energy(t, lane) = energy_of(chain, draw);
        acceptance(t, lane) = Real(0.75);
        diverging(t, lane) = Real((chain + draw) % 2);
      }
    auto const device = [](auto const& host) { return Kokkos::create_mirror_view_and_copy(DeviceMemory{}, host); };
    w.append(step_of(draw), {device(x)}, {device(energy), device(acceptance), device(diverging)});
  }
  void expect_draws(Index draws) const {
    SampleReader const reader(run.root());
    ASSERT_EQ(reader.chains(), tiling.chains);
    ASSERT_EQ(reader.draws(), draws);
    ASSERT_EQ(reader.dimension(), dimension);
    auto const x = reader.read<double>(0, tiling.chains);
    auto const energy = reader.read_statistic("energy", 0, tiling.chains), diverging = reader.read_statistic("diverging", 0, tiling.chains);
    Index wrong = 0;
    for (Index c = 0; c < tiling.chains; c++)
      for (Index d = 0; d < draws; d++) {
        std::size_t const at = std::size_t(c * draws + d);
        for (Index i = 0; i < dimension; i++) wrong += x[at * dimension + std::size_t(i)] != x_of(c, d, i);
        wrong += energy[at] != energy_of(c, d);
        wrong += diverging[at] != double((c + d) % 2);
      }
    EXPECT_EQ(wrong, 0);
    for (Index d = 0; d < draws; d++) EXPECT_EQ(reader.draw_labels()[d], step_of(d));
    EXPECT_EQ(reader.read<float>(2, 1)[0], float(x_of(2, 0, 0)));
  }

  Scratch scratch;
  Communicator const& ranks = scratch.ranks;
  RunDirectory run{scratch.path};
  Tiling const tiling{GetParam(), 16};
  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(Chains, Samples, testing::Values(37, 20, 5));

TEST_P(Samples, PartsDependOnDrawCountsAndShowAsOne) {
  auto w = writer();
  w.remove_later_parts();
  for (Index d = 0; d < 10; d++) append(w, d);
  EXPECT_EQ(run.part_numbers(), (std::vector<Index>{1, 0}));
  EXPECT_EQ(run.part_numbers(".manifest"), (std::vector<Index>{1, 0}));
  EXPECT_FALSE(std::filesystem::exists(run.all_samples()));  // not rewritten for each part
  ranks.barrier();
  w.show();
  expect_draws(8);
  ranks.barrier();
  w.write_pending();
  EXPECT_EQ(run.part_numbers().size(), 3u);
  expect_draws(10);
  ranks.barrier();
  for (Index d = 10; d < 12; d++) append(w, d);
  EXPECT_EQ(run.part_numbers().size(), 3u);
  w.show();
  expect_draws(12);
}

TEST_P(Samples, RestartGivesEveryDrawOnce) {
  auto first = writer();
  for (Index d = 0; d < 6; d++) append(first, d);
  State state;
  first.describe_state(state);
  write_checkpoint(run, ranks, state, {6, "", "", "", "", 1}, 2);
  for (Index d = 6; d < 13; d++) append(first, d);
  first.write_pending();
  EXPECT_EQ(run.part_numbers().size(), 4u);
  ranks.barrier();

  auto second = writer();
  State restored;
  auto const from = *newest_valid_checkpoint(run, ranks);
  second.size_state(from);
  second.describe_state(restored);
  read_checkpoint(from, ranks, restored);
  second.remove_later_parts();
  EXPECT_EQ(second.draws(), 6);
  EXPECT_EQ(names_in(run.samples()),
            (std::vector<std::string>{"part-000000.h5", "part-000000.manifest", "part-000001.h5", "part-000001.manifest"}));
  expect_draws(6);  // those of the checkpoint too, in a shorter part
  ranks.barrier();
  for (Index d = 6; d < 7; d++) append(second, d);
  second.show();  // which does not hide them again
  expect_draws(6);
  ranks.barrier();
  append(second, 7);  // fills the part
  expect_draws(8);
  ranks.barrier();
  append(second, 8);
  second.write_pending();
  expect_draws(9);
}

TEST_P(Samples, FilesAreLaidOutForXarrayAndArviz) {
  auto w = writer();
  for (Index d = 0; d < 5; d++) append(w, d);
  w.write_pending();
  for (Path const& path : {run.all_samples(), run.samples() / "part-000000.h5"}) {
    auto const file = hdf5::File::open(path);
    for (std::string const name : {"posterior", "sample_stats"}) {
      auto const group = file.group(name);
      EXPECT_EQ(group.text_attribute("inference_library"), "partita");
      EXPECT_EQ(group.text_attribute("inference_library_version"), "0.1.0");
      EXPECT_THAT(group.text_attribute("created_at"), testing::MatchesRegex("....-..-..T..:..:..\\+00:00"));
      auto const variable = group.dataset(name == "posterior" ? "x" : "energy");
      std::vector<std::string> const axes{"chain", "draw", "x_dim"};
      for (unsigned axis = 0; axis < variable.extents().size(); axis++)
        EXPECT_GT(H5DSis_attached(variable.id(), group.dataset(axes[axis]).id(), axis), 0) << axes[axis];
    }
    EXPECT_EQ(file.dataset("posterior/x").attributes<Index>("image_shape"), (std::vector<Index>{1, dimension}));
    EXPECT_EQ(file.text_attribute("deck"), "seed = 1  # µ\n");
    EXPECT_EQ(file.dataset("sample_stats/diverging").text_attribute("dtype"), "bool");
    EXPECT_EQ(file.dataset("sample_stats/energy").text_attribute("doc"), "E(x), in units of kT");
    EXPECT_EQ(file.dataset("posterior/x").description(),
              hdf5::description(element_of<Real>(), {tiling.chains, path == run.all_samples() ? 5 : 4, dimension}));
  }
  SampleReader const part(run.samples() / "part-000001.h5");
  EXPECT_EQ(part.draws(), 1);
  EXPECT_EQ(part.read<float>(1, 1)[0], float(x_of(1, 4, 0)));
}

TEST_P(Samples, AMissingPartReadsAsNaNAndIsNamed) {
  auto w = writer();
  for (Index d = 0; d < 8; d++) append(w, d);
  w.show();
  ranks.barrier();
  on_root(ranks, [&] { std::filesystem::remove(run.samples() / "part-000001.h5"); });
  auto const x = hdf5::File::open(run.all_samples()).dataset("posterior/x").read<double>();
  EXPECT_EQ(x[0], x_of(0, 0, 0));
  EXPECT_TRUE(std::isnan(x[per_part * dimension]));
  expect_failure(ExitCode::data, {"samples/part-000001.h5 is missing"}, [&] { SampleReader reader(run.root()); });
  ranks.barrier();
  expect_failure(ExitCode::data, {"part-000001.h5", "o such file"}, [&] { w.verify(); });
}

// Found when the run goes on, before any work, and nothing that is there is touched.
TEST_P(Samples, ADamagedPartIsNamedOnRestart) {
  auto w = writer();
  for (Index d = 0; d < 9; d++) append(w, d);
  w.write_pending();
  ranks.barrier();
  auto const before = names_in(run.samples());
  on_root(ranks, [&] {
    std::fstream file(run.part(1), std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(2000);
    char const byte = static_cast<char>(file.get() ^ 1);
    file.seekp(2000);
    file.put(byte);
  });
  expect_failure(ExitCode::data, {"part-000001.h5", "damaged", "its draws are lost", "--overwrite"}, [&] { w.verify(); });
  EXPECT_EQ(names_in(run.samples()), before);
  EXPECT_TRUE(std::filesystem::exists(run.all_samples()));
}

// Another run's part, or another part of this one, is as whole as the right one.
TEST_P(Samples, APartInAnothersPlaceIsRefused) {
  auto w = writer();
  for (Index d = 0; d < 9; d++) append(w, d);
  w.write_pending();
  ranks.barrier();
  on_root(ranks, [&] {
    for (auto const& file : {run.part(1), manifest_of(run.part(1))}) {
      auto other = run.part(0);
      if (file != run.part(1)) other = manifest_of(other);
      std::filesystem::copy_file(other, file, std::filesystem::copy_options::overwrite_existing);
    }
  });
  expect_failure(ExitCode::data, {"part-000001.h5", "not the part that this run wrote"}, [&] { w.verify(); });
}

// A run that ended is found as it was left: nothing is written, so that nothing can go wrong.
TEST_P(Samples, WhatIsShownStaysAsItIs) {
  auto w = writer();
  for (Index d = 0; d < 9; d++) append(w, d);
  w.write_pending();
  ranks.barrier();
  auto const written = [&] {
    return std::pair(std::filesystem::last_write_time(run.all_samples()), std::filesystem::last_write_time(run.part(2)));
  };
  auto const before = written();
  w.remove_later_parts();
  EXPECT_EQ(written(), before);
  ranks.barrier();
  append(w, 9);
  w.write_pending();
  expect_draws(10);
}

TEST_P(Samples, ACheckpointHoldsAsManyDrawsAsArePending) {
  auto w = writer();
  auto const numbers = [&] {
    State state;
    w.describe_state(state);
    Index n = 0;
    for (StateField const& f : state.fields())
      if (f.name.starts_with("samples/pending/")) n += f.size();
    return n;
  };
  EXPECT_EQ(numbers(), 0);
  append(w, 0);
  Index const one = numbers();
  EXPECT_EQ(one, mine.count * tiling.width * (dimension + 3));
  append(w, 1);
  EXPECT_EQ(numbers(), 2 * one);
  for (Index d = 2; d < per_part; d++) append(w, d);
  EXPECT_EQ(numbers(), 0);
}

TEST_P(Samples, FullDiskIsNoticedAndLeavesNoPart) {
  for (char const* options : {"size=12k", "size=92k", "size=108k", "size=120k"}) {
    SmallFileSystem const small(run.samples(), options);
    if (!small.mounted()) GTEST_SKIP() << "needs permission to mount a tmpfs";
    auto w = writer();
    expect_failure(ExitCode::storage, {"part-00000"}, [&] {
      for (Index d = 0; d < 10 * per_part; d++) append(w, d);
    });
    for (std::string const& name : names_in(run.samples())) EXPECT_FALSE(name_of_temporary(name)) << name;
    ranks.barrier();
  }
}

TEST(SampleFormat, PartsAreAboutPartBytesWhateverTheRanks) {
  EXPECT_EQ(default_draws_per_part({65536, 256}, {{"x", 1}}, {{"energy", StoredAs::real64, ""}}),
            part_bytes / (65536 * 2 * Index{sizeof(Real)}));
  EXPECT_EQ(default_draws_per_part({1, 16}, {{"x", 1}}, {}), 4096);
  EXPECT_EQ(default_draws_per_part({1 << 20, 256}, {{"x", 784}}, {}), 1);
}

TEST(SampleReader, ReadsPointsOfAnyHdf5File) {
  Scratch scratch;
  Path const path = scratch.path / "points.h5";
  on_root(scratch.ranks, [&] {
    auto const file = hdf5::File::in_memory(path);
    file.create_dataset("images", hdf5::native_type<std::uint8_t>(), {2, 2, 3})
        .write(std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    file.write("group/line", std::vector<double>{1, 2, 3});
    write_file(path, file.image());
  });
  SampleReader const images(path);
  EXPECT_EQ(images.chains(), 2);
  EXPECT_EQ(images.draws(), 1);
  EXPECT_EQ(images.dimension(), 6);
  EXPECT_EQ(images.read<float>(1, 1), (std::vector<float>{6, 7, 8, 9, 10, 11}));
  SampleReader const line(path, "group/line");
  EXPECT_EQ(line.chains(), 3);
  EXPECT_EQ(line.dimension(), 1);
  expect_failure(ExitCode::data, {path.string(), "no dataset 'absent'"}, [&] { SampleReader reader(path, "absent"); });
  expect_failure(ExitCode::data, {"holds no samples.h5"}, [&] { SampleReader reader(scratch.path); });
}
