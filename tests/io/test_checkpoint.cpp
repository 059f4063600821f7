#include <fstream>

#include "core/copy.hpp"
#include "io/checkpoint.hpp"
#include "io/crc32c.hpp"
#include "io/manifest.hpp"
#include "scratch.hpp"

using namespace partita;

namespace {

constexpr Index tiles = 5, dimension = 3, pitch = 64;

double value(Index tile, Index i, Index lane) { return double(1000 * tile + 100 * i + lane) + 0.5; }

// A state of every kind of field, on the tiles that this rank has under a dealing of its own.
struct Fields {
  TileRange mine;
  TileStorage x;
  DeviceVector<double> moments;
  Index step = 0;
  std::uint64_t seed = 0;
  double rate = 0;
  State state;

  explicit Fields(TileRange t) : mine(t), x("x", t.count, dimension, pitch), moments("moments", 4) {
    state.add_by_tile("sampler/x", x, mine, tiles);
    state.add("optimizer/moments", moments);
    state.add_scalar("step", step);
    state.add_scalar("seed", seed);
    state.add_scalar("rate", rate);
  }
  void fill() {
    auto const host = Kokkos::create_mirror_view(x);
    for (Index t = 0; t < mine.count; t++)
      for (Index i = 0; i < dimension; i++)
        for (Index l = 0; l < pitch; l++) host(t, i, l) = Real(value(mine.first + t, i, l));
    copy_array(x, host);
    fill_array(moments, 0.25);
    step = Index{5} << 33;
    seed = ~std::uint64_t{0};
    rate = 1e-3;
  }
  void expect_filled() const {
    auto const host = values_on_host(x);
    Index wrong = 0;
    for (Index t = 0; t < mine.count; t++)
      for (Index i = 0; i < dimension; i++)
        for (Index l = 0; l < pitch; l++) wrong += host(t, i, l) != Real(value(mine.first + t, i, l));
    EXPECT_EQ(wrong, 0);
    auto const m = values_on_host(moments);
    EXPECT_EQ(m(3), 0.25);
    EXPECT_EQ(step, Index{5} << 33);
    EXPECT_EQ(seed, ~std::uint64_t{0});
    EXPECT_EQ(rate, 1e-3);
  }
};

CheckpointInfo info(Index step) { return {step, "seed = 1  # µ\n", "abc123", "0.1.0-deadbeef", "avx512", ~std::uint64_t{0}}; }

class Checkpoint : public testing::Test {
 protected:
  Checkpoint() { run.create(ranks); }
  void write(Index step, int keep = 2) {
    Fields r(share_of_tiles(tiles, ranks.rank(), ranks.ranks()));
    r.fill();
    write_checkpoint(run, ranks, r.state, info(step), keep);
  }
  Path path(Index step) const { return run.checkpoints() / fmt::format("step-{:013}.h5", step); }
  Index newest() const {
    auto const found = newest_valid_checkpoint(run, ranks);
    return found ? found->step : -1;
  }
  void expect_restored(CheckpointFile const& file) const {
    Fields r(share_of_tiles(tiles, ranks.ranks() - 1 - ranks.rank(), ranks.ranks()));  // dealt the other way round
    read_checkpoint(file, ranks, r.state);
    r.expect_filled();
    Fields part({1, 2});  // as one of another number of ranks
    read_checkpoint(file, ranks, part.state);
    part.expect_filled();
  }
  template <class Damage>
  void damage(Damage&& d) const {
    on_root(ranks, std::forward<Damage>(d));
  }

  Scratch scratch;
  Communicator const& ranks = scratch.ranks;
  RunDirectory run{scratch.path / "a run µ"};
};

void flip_bit(Path const& file, std::size_t position) {
  std::string bytes = read_text(file);
  bytes.at(position) = static_cast<char>(bytes[position] ^ 4);
  write_atomically(file, bytes);
}

}  // namespace

TEST_F(Checkpoint, RestoresOnAnyDealingOfTiles) {
  EXPECT_EQ(newest(), -1);
  write(7);
  auto const found = newest_valid_checkpoint(run, ranks);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->step, 7);
  auto const about = read_checkpoint_info(*found);
  EXPECT_EQ(about.step, 7);
  EXPECT_EQ(about.deck, info(7).deck);
  EXPECT_EQ(about.deck_hash, "abc123");
  EXPECT_EQ(about.code_version, "0.1.0-deadbeef");
  EXPECT_EQ(about.machine, "avx512");
  EXPECT_EQ(about.seed, ~std::uint64_t{0});
  expect_restored(*found);
  EXPECT_EQ(names_in(run.checkpoints()), (std::vector<std::string>{"step-0000000000007.h5", "step-0000000000007.manifest"}));
}

TEST_F(Checkpoint, KeepsTheNewestAndAtLeastTwo) {
  for (Index step : {1, 2, 3}) write(step, 1);
  damage([&] { std::filesystem::remove(path(2)); });
  write(4, 1);
  EXPECT_EQ(names_in(run.checkpoints()).size(), 4u);
  EXPECT_EQ(newest(), 4);
  write(Index{1} << 35, 3);
  EXPECT_EQ(names_in(run.checkpoints()).size(), 6u);
  EXPECT_EQ(newest(), Index{1} << 35);
  remove_later_checkpoints(run, ranks, 3);
  EXPECT_EQ(newest(), 3);
  EXPECT_EQ(names_in(run.checkpoints()).size(), 2u);
}

TEST_F(Checkpoint, DamagedFilesArePassedOver) {
  write(1);
  std::uintmax_t const bytes = std::filesystem::file_size(path(1));
  struct Case {
    char const* name;
    std::function<void(Path const&)> damage;
  };
  std::vector<Case> const cases{
      {"data", [&](Path const& p) { flip_bit(p, read_text(p).find(std::string(3, '\0'), bytes / 2)); }},
      {"metadata", [](Path const& p) { flip_bit(p, 100); }},
      {"superblock", [](Path const& p) { flip_bit(p, 0); }},
      {"last byte", [&](Path const& p) { flip_bit(p, read_text(p).size() - 1); }},
      {"manifest, a number", [](Path const& p) { flip_bit(manifest_of(p), 25); }},
      {"manifest, its checksum", [](Path const& p) { flip_bit(manifest_of(p), read_text(manifest_of(p)).size() - 2); }},
      {"manifest truncated", [](Path const& p) { std::filesystem::resize_file(manifest_of(p), 40); }},
      {"manifest empty", [](Path const& p) { std::filesystem::resize_file(manifest_of(p), 0); }},
      {"truncated", [&](Path const& p) { std::filesystem::resize_file(p, bytes / 2); }},
      {"empty", [](Path const& p) { std::filesystem::resize_file(p, 0); }},
      {"file without manifest", [](Path const& p) { std::filesystem::remove(manifest_of(p)); }},
      {"manifest without file", [](Path const& p) { std::filesystem::remove(p); }},
      {"another file of the same size",
       [&](Path const& p) { std::filesystem::copy_file(path(1), p, std::filesystem::copy_options::overwrite_existing); }}};
  for (Case const& c : cases) {
    SCOPED_TRACE(c.name);
    write(2);
    ASSERT_EQ(newest(), 2);
    damage([&] { c.damage(path(2)); });
    testing::internal::CaptureStderr();
    auto const found = newest_valid_checkpoint(run, ranks);
    std::string const warnings = testing::internal::GetCapturedStderr();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->step, 1);
    if (ranks.is_root() && std::filesystem::exists(path(2))) {
      EXPECT_THAT(warnings, testing::HasSubstr("skipping the checkpoint of step 2"));
    }
    ranks.barrier();
  }
  write(2);
  EXPECT_EQ(newest(), 2);
  expect_restored(*newest_valid_checkpoint(run, ranks));
}

// Sparse, one byte longer than a stripe: the damage is in the last one.
TEST_F(Checkpoint, FilesOfSeveralStripesAreVerifiedToTheirEnd) {
  on_root(ranks, [&] {
    write_atomically(path(1), "head");
    std::filesystem::resize_file(path(1), stripe_bytes + 1);
  });
  Manifest const manifest = make_manifest(path(1), ranks);
  on_root(ranks, [&] { write_atomically(manifest_of(path(1)), manifest.text()); });
  EXPECT_EQ(verify(path(1), ranks).stripes.size(), 2u);
  damage([&] {
    std::fstream file(path(1), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(stripe_bytes));
    file.put('x');
  });
  expect_failure(ExitCode::data, {path(1).string(), fmt::format("damaged (checksum of bytes {0} to {0})", stripe_bytes)},
                 [&] { verify(path(1), ranks); });
}

TEST_F(Checkpoint, AllDamagedIsAnErrorAndStaleTemporariesAreNot) {
  write(1);
  damage([&] { write_file(Path(path(9)) += ".writing-00c0ffee", "half"); });
  EXPECT_EQ(newest(), 1);
  run.remove_unfinished(ranks);
  EXPECT_EQ(names_in(run.checkpoints()).size(), 2u);
  ranks.barrier();
  damage([&] { flip_bit(path(1), 200); });
  expect_failure(ExitCode::data, {"all 1 checkpoints are damaged"}, [&] { newest(); });
  expect_failure(ExitCode::data, {path(1).string(), "damaged", "checksum"}, [&] { find_checkpoint(path(1), ranks); });
}

TEST_F(Checkpoint, NonFiniteStateNeverReplacesAGoodOne) {
  write(1);
  Fields r(share_of_tiles(tiles, ranks.rank(), ranks.ranks()));
  r.fill();
  if (r.mine.end() == tiles && r.mine.count > 0) {
    auto const host = Kokkos::create_mirror_view(r.x);
    copy_array(host, r.x);
    host(r.mine.count - 1, 2, 17) = std::numeric_limits<Real>::infinity();
    host(r.mine.count - 1, 2, 18) = std::numeric_limits<Real>::quiet_NaN();
    copy_array(r.x, host);
  }
  expect_failure(ExitCode::numerical, {"step 2", "sampler/x [4, 2, 17] is inf"},
                 [&] { write_checkpoint(run, ranks, r.state, info(2), 2); });
  EXPECT_EQ(newest(), 1);
  EXPECT_EQ(names_in(run.checkpoints()).size(), 2u);
}

TEST_F(Checkpoint, AnotherShapeTypeOrNameIsRefused) {
  write(1);
  auto const found = *newest_valid_checkpoint(run, ranks);
  State other;
  DeviceVector<double> longer("longer", 6);
  other.add("optimizer/moments", longer);
  expect_failure(ExitCode::data, {found.path.string(), "optimizer/moments", "found float64 (4)", "wanted float64 (6)"},
                 [&] { read_checkpoint(found, ranks, other); });
  State another;
  float rate = 0;
  another.add_scalar("rate", rate);
  expect_failure(ExitCode::data, {"rate", "found one float64", "wanted one float32"}, [&] { read_checkpoint(found, ranks, another); });
  State third;
  third.add_scalar("absent", rate);
  expect_failure(ExitCode::data, {"no dataset 'absent'"}, [&] { read_checkpoint(found, ranks, third); });
}

TEST_F(Checkpoint, GivesFieldsToOtherRuns) {
  write(1);
  write(2);
  damage([&] { flip_bit(path(2), 300); });
  auto const found = find_checkpoint(run.root(), ranks);
  EXPECT_EQ(found.step, 1);
  auto const moments = read_field(found, "optimizer/moments");
  EXPECT_EQ(moments.extents, std::vector<Index>{4});
  EXPECT_EQ(moments.values, std::vector<Real>(4, Real(0.25)));
  EXPECT_EQ(find_checkpoint(path(1), ranks).step, 1);
  expect_failure(ExitCode::data, {"no valid checkpoint"}, [&] { find_checkpoint(run.samples(), ranks); });
}

// Named by a user, who knows nothing of manifests.
TEST_F(Checkpoint, PathsThatLeadToNoneAreExplained) {
  write(1);
  Path const manifest = manifest_of(path(1)), other = run.root() / "other.h5", absent = run.root() / "nope";
  damage([&] { write_atomically(other, "no checkpoint"); });
  expect_failure(ExitCode::data, {absent.string() + " does not exist", "name the directory of a run"},
                 [&] { find_checkpoint(absent, ranks); });
  expect_failure(ExitCode::data, {other.string() + " is neither the directory of a run nor a checkpoint", "name the directory of a run"},
                 [&] { find_checkpoint(other, ranks); });
  expect_failure(ExitCode::data,
                 {manifest.string() + " is the manifest of a checkpoint; name the checkpoint beside it, " + path(1).string()},
                 [&] { find_checkpoint(manifest, ranks); });
  ranks.barrier();
  damage([&] { std::filesystem::remove(path(1)); });
  expect_failure(ExitCode::data, {manifest.string() + " is a manifest, and its checkpoint", "is missing"},
                 [&] { find_checkpoint(manifest, ranks); });
}

TEST_F(Checkpoint, FullDiskKeepsTheLastGoodOne) {
  for (char const* options : {"size=120k", "size=160k", "size=240k"}) {
    SmallFileSystem const small(run.checkpoints(), options);
    if (!small.mounted()) GTEST_SKIP() << "needs permission to mount a tmpfs";
    write(1);
    TileRange const mine = share_of_tiles(40, ranks.rank(), ranks.ranks());
    TileStorage large("large", mine.count, 16, pitch);  // 40 tiles of 4 KiB or more
    fill_array(large, Real(1));
    State by_tile;
    by_tile.add_by_tile("x", large, mine, 40);
    expect_failure(ExitCode::storage, {"cannot write the checkpoint of step 2", "No space left on device"},
                   [&] { write_checkpoint(run, ranks, by_tile, info(2), 2); });
    EXPECT_EQ(names_in(run.checkpoints()).size(), 2u);
    EXPECT_EQ(newest(), 1);
    DeviceVector<double> parameters("parameters", 40000);
    State replicated;
    replicated.add("parameters", parameters);
    expect_failure(ExitCode::storage, {"cannot write the checkpoint of step 2", "No space left on device"},
                   [&] { write_checkpoint(run, ranks, replicated, info(2), 2); });
    EXPECT_EQ(newest(), 1);
    ranks.barrier();
  }
}
