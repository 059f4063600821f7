#include <hdf5_hl.h>
#include <sys/stat.h>

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
    expect_failure(ExitCode::data, {absent.string(), "no such file"}, [&] { hdf5::File::open(absent); });
    write_atomically(text, "not HDF5 at all");
    expect_failure(ExitCode::data, {text.string(), "signature", "; it is of another format, or damaged: name an HDF5 file"},
                   [&] { hdf5::File::open(text); });
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
    std::vector<Index> const mine(3 * count, ranks.rank());
    file.dataset("x").write_rows(count ? 2 * ranks.rank() : 0, count, hdf5::native_type<Index>(), mine.data(), hdf5::Transfer::collective);
    file.close();
  }
  ranks.barrier();
  auto const x = hdf5::File::open(path).dataset("x").read<Index>();
  for (std::size_t i = 0; i < x.size(); i++) EXPECT_EQ(x[i], Index(i / 6));
}

namespace {

// A file of the library's own calls, as others write them.
template <class Write>
Path foreign(Path const& path, Write const& write) {
  hid_t const file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  write(file);
  H5Fclose(file);
  return path;
}
void write_attribute(hid_t file, char const* name, hid_t type, hsize_t count, void const* values) {
  hid_t const space = H5Screate_simple(1, &count, nullptr), attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, values);
  H5Aclose(attribute), H5Sclose(space);
}

}  // namespace

// Of files from elsewhere nothing is believed: an attribute of 64000 bytes was read into room for 9.
TEST(Hdf5, AttributesOfAnotherTypeOrSizeAreRefused) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const path = foreign(scratch.path / "attributes.h5", [](hid_t file) {
      std::vector<std::int64_t> const numbers(4000, 7);
      write_attribute(file, "numbers", H5T_NATIVE_INT64, numbers.size(), numbers.data());
      hid_t const text = H5Tcopy(H5T_C_S1), variable = H5Tcopy(H5T_C_S1);
      H5Tset_size(text, 4), H5Tset_size(variable, H5T_VARIABLE);
      write_attribute(file, "texts", text, 3, "one two tri ");
      char const* const words[2] = {"one", "two"};
      write_attribute(file, "words", variable, 2, words);
      write_attribute(file, "unended", text, 1, "abcd");
      hid_t const none = H5Screate(H5S_NULL);
      H5Aclose(H5Acreate2(file, "nothing", H5T_NATIVE_INT64, none, H5P_DEFAULT, H5P_DEFAULT));
      H5Sclose(none), H5Tclose(text), H5Tclose(variable);
    });
    auto const file = hdf5::File::open(path);
    expect_failure(ExitCode::data, {"attribute 'numbers' is not text"}, [&] { file.text_attribute("numbers"); });
    expect_failure(ExitCode::data, {"attribute 'texts' has 3 values, wanted one"}, [&] { file.text_attribute("texts"); });
    expect_failure(ExitCode::data, {"attribute 'words' has 2 values, wanted one"}, [&] { file.text_attribute("words"); });
    EXPECT_EQ(file.text_attribute("unended"), "abcd");
    expect_failure(ExitCode::data, {"attribute 'numbers' has 4000 values, wanted one"}, [&] { file.attribute<Index>("numbers"); });
    expect_failure(ExitCode::data, {"attribute 'nothing' has 0 values"}, [&] { file.attribute<Index>("nothing"); });
    expect_failure(ExitCode::data, {"attribute 'unended'"}, [&] { file.attribute<Index>("unended"); });
  });
}

TEST(Hdf5, TextIsNotReadAsNumbers) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const path = foreign(scratch.path / "text.h5", [](hid_t file) {
      hid_t const text = H5Tcopy(H5T_C_S1);
      H5Tset_size(text, 4);
      hsize_t const count = 3;
      hid_t const space = H5Screate_simple(1, &count, nullptr);
      H5Dclose(H5Dcreate2(file, "words", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      H5Sclose(space), H5Tclose(text);
    });
    expect_failure(ExitCode::data, {path.string() + ": words: found text (3), wanted numbers; write them as such"},
                   [&] { hdf5::File::open(path).dataset("words").read<float>(); });
  });
}

TEST(Hdf5, DatasetsAreListedOnceWhateverLinksForm) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const path = foreign(scratch.path / "ring.h5", [](hid_t file) {
      hid_t const group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      for (char const* name : {"a", "b", "c"}) H5Lcreate_hard(file, "g", group, name, H5P_DEFAULT, H5P_DEFAULT);
      H5Lcreate_soft("/g", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
      H5Lcreate_soft("/nowhere", file, "dangling", H5P_DEFAULT, H5P_DEFAULT);
      H5Lcreate_external("/dev/zero", "/x", file, "outside", H5P_DEFAULT, H5P_DEFAULT);
      hid_t const space = H5Screate(H5S_SCALAR);
      H5Dclose(H5Dcreate2(group, "x", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      H5Sclose(space), H5Gclose(group);
    });
    auto const found = hdf5::File::open(path).datasets(100);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_TRUE(found[0].ends_with("/x"));
  });
}

TEST(Hdf5, SizesBeyondCountingAreRefused) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const path = foreign(scratch.path / "huge.h5", [](hid_t file) {
      hsize_t const extents[3] = {hsize_t{1} << 31, hsize_t{1} << 31, hsize_t{1} << 3}, chunk[3] = {1, 1, 1};
      hid_t const space = H5Screate_simple(3, extents, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
      H5Pset_chunk(properties, 3, chunk);
      H5Dclose(H5Dcreate2(file, "x", H5T_NATIVE_INT8, space, H5P_DEFAULT, properties, H5P_DEFAULT));
      H5Sclose(space), H5Pclose(properties);
    });
    auto const x = hdf5::File::open(path).dataset("x");
    EXPECT_THAT(x.description(), testing::HasSubstr("2147483648"));
    expect_failure(ExitCode::data, {"huge.h5", "more values than can be counted"}, [&] { x.read<float>(); });
  });
}

// To open a pipe without a writer would wait for ever.
TEST(Hdf5, PipesAndDevicesAreNotOpened) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const pipe = scratch.path / "pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    for (Path const& path : {pipe, Path("/dev/zero")}) {
      expect_failure(ExitCode::data, {path.string(), "a pipe, a socket or a device"}, [&] { hdf5::File::open(path); });
      expect_failure(ExitCode::data, {path.string(), "a pipe, a socket or a device"}, [&] { read_text(path); });
    }
    expect_failure(ExitCode::data, {"a directory; name a file"}, [&] { hdf5::File::open(scratch.path); });
  });
}
