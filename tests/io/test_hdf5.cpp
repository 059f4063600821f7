#include <hdf5_hl.h>

#include "io/hdf5.hpp"
#include "scratch.hpp"

using namespace partita;

TEST(Hdf5, AttributesAndValuesComeBack) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const path = scratch.path / "Ångström µ.h5";
    std::vector<double> const values{1, 2, 3, 4, 5, 6};
    {
      auto file = hdf5::File::in_memory(path);
      file.set_attribute("deck", "seed = 1  # µ\n");
      file.set_attribute("seed", ~std::uint64_t{0});
      file.set_attribute("image_shape", std::vector<Index>{28, 28});
      auto const x = file.create_dataset("group/inner/x", hdf5::native_type<double>(), {3, 2});
      x.write(values);
      write_file(path, file.image());
    }
    auto const file = hdf5::File::open(path);
    EXPECT_EQ(file.text_attribute("deck"), "seed = 1  # µ\n");
    EXPECT_EQ(file.attribute<std::uint64_t>("seed"), ~std::uint64_t{0});
    EXPECT_EQ(file.attributes<Index>("image_shape"), (std::vector<Index>{28, 28}));
    EXPECT_FALSE(file.has_attribute("absent"));
    EXPECT_TRUE(file.has("group/inner/x"));
    EXPECT_FALSE(file.has("group/other/x"));
    auto const x = file.group("group").dataset("inner/x");
    EXPECT_EQ(x.read<double>(), values);
    EXPECT_EQ(x.read<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(x.description(), "float64 (3, 2)");
    EXPECT_TRUE(x.holds(Element::real64, {3, 2}));
    EXPECT_FALSE(x.holds(Element::real32, {3, 2}));
    std::vector<double> row(2);
    x.read_rows(1, 1, hdf5::native_type<double>(), row.data());
    EXPECT_EQ(row, (std::vector<double>{3, 4}));
  });
}

TEST(Hdf5, FailuresNameFileObjectAndReason) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const absent = scratch.path / "absent.h5", text = scratch.path / "text.h5", good = scratch.path / "good.h5";
    expect_failure(ExitCode::data, {absent.string(), "No such file or directory"}, [&] { hdf5::File::open(absent); });
    write_atomically(text, "not HDF5 at all");
    expect_failure(ExitCode::data, {text.string(), "signature"}, [&] { hdf5::File::open(text); });
    auto const written = hdf5::File::in_memory(good);
    written.write("present", std::vector<float>{1});
    write_file(good, written.image());
    auto const file = hdf5::File::open(good);
    expect_failure(ExitCode::data, {good.string(), "no dataset 'x'", "present"}, [&] { file.dataset("x"); });
    expect_failure(ExitCode::data, {good.string(), "attribute 'doc'"}, [&] { file.text_attribute("doc"); });
  });
}

TEST(Hdf5, RanksWriteRowsTogetherAndSomeWriteNone) {
  Scratch scratch;
  auto const& ranks = scratch.ranks;
  Path const path = scratch.path / "rows.h5";
  Index const writers = std::max(1, ranks.ranks() - 1);  // the last of several ranks has no rows
  on_root(ranks, [&] {
    auto file = hdf5::File::in_memory(path);
    file.create_dataset("x", hdf5::native_type<Index>(), {2 * writers, 3}, {2, 3});
    write_file(path, file.image());
  });
  {
    auto file = hdf5::File::open_together(path, ranks);
    Index const count = ranks.rank() < writers ? 2 : 0;
    std::vector<Index> const mine(static_cast<std::size_t>(3 * count), ranks.rank());
    file.dataset("x").write_rows(count ? 2 * ranks.rank() : 0, count, hdf5::native_type<Index>(), mine.data(), hdf5::Transfer::collective);
    file.close();
  }
  ranks.barrier();
  auto const x = hdf5::File::open(path).dataset("x").read<Index>();
  for (std::size_t i = 0; i < x.size(); i++) EXPECT_EQ(x[i], static_cast<Index>(i / 6));
}
