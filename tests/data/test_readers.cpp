#include <hdf5.h>
#include <zlib.h>

#include <filesystem>

#include "data/table.hpp"
#include "support.hpp"

namespace partita::data {
namespace {

using test::failure;
using test::idx_bytes;
using test::temporary;
using test::write_file;
using testing::AllOf;
using testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;
using Floats = std::vector<float>;

std::string write_gzipped(std::string const& name, std::string const& content) {
  std::string const path = temporary(name);
  gzFile const file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, content.data(), static_cast<unsigned>(content.size())), static_cast<int>(content.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  return path;
}

TEST(Idx, BytesStayBytesPlainAndGzipped) {
  std::string const content = idx_bytes(0x08, {2, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -1});
  for (std::string const& path : {write_file("a.idx", content), write_gzipped("a.idx.gz", content)}) {
    Table const table = read_idx(path, 0);
    EXPECT_EQ(table.rows, 2);
    EXPECT_EQ(table.shape, (std::vector<Index>{2, 3}));
    EXPECT_EQ(std::get<Bytes>(table.values), (Bytes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255}));
    EXPECT_EQ(std::get<Bytes>(read_idx(path, 1).values), (Bytes{0, 1, 2, 3, 4, 5}));
  }
}

TEST(Idx, BigEndianFloats) {
  // 1.0f = 3f800000, -2.5f = c0200000
  Table const table = read_idx(write_file("f.idx", idx_bytes(0x0d, {2, 1}, std::string("\x3f\x80\0\0\xc0\x20\0\0", 8))), 0);
  EXPECT_EQ(std::get<Floats>(table.values), (Floats{1.0f, -2.5f}));
}

TEST(Idx, ErrorsSayWhatIsWrong) {
  auto const message = [](std::string const& content) {
    return failure(ExitCode::data, [&] { read_idx(write_file("bad.idx", content), 0); });
  };
  EXPECT_THAT(failure(ExitCode::data, [] { read_idx("/nowhere/x.gz", 0); }), HasSubstr("/nowhere/x.gz: no such file"));
  EXPECT_THAT(failure(ExitCode::data, [] { read_idx(testing::TempDir(), 0); }), HasSubstr("a directory"));
  EXPECT_THAT(message("\x89HDF"), HasSubstr("not an idx file (it starts with bytes 89 48"));
  EXPECT_THAT(message(""), HasSubstr("truncated, the header has 0 of 4 bytes"));
  EXPECT_THAT(message(idx_bytes(0x0b, {1, 1}, "ab")), HasSubstr("element type 0x0b"));
  EXPECT_THAT(message(idx_bytes(0x08, {3}, "abc")), AllOf(HasSubstr("1 axes [3]"), HasSubstr("labels file")));
  EXPECT_THAT(message(idx_bytes(0x08, {2, 2}, "abc")), HasSubstr("truncated, the data has 3 of 4 bytes"));
  EXPECT_THAT(message(idx_bytes(0x08, {1, 2}, "abc")), HasSubstr("longer than its extents [1, 2]"));
  EXPECT_THAT(message(idx_bytes(0x08, {0, 2}, "")), HasSubstr("empty, extents [0, 2]"));
  EXPECT_THAT(message(idx_bytes(0x08, {4000000000u, 4000000000u, 4000000000u}, "abc")), HasSubstr("truncated, its size cannot hold"));
}

TEST(Idx, DamagedGzipIsFound) {
  std::string const content = idx_bytes(0x08, {1, 4000}, std::string(4000, 'x'));
  std::string const path = write_gzipped("cut.idx.gz", content);
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  EXPECT_THAT(failure(ExitCode::data, [&] { read_idx(write_file("cut2.idx.gz", bytes.substr(0, bytes.size() - 12)), 0); }),
              HasSubstr("truncated"));
  bytes[bytes.size() / 2] ^= 0x55;
  EXPECT_THAT(failure(ExitCode::data, [&] { read_idx(write_file("flip.idx.gz", bytes), 0); }),
              testing::AnyOf(HasSubstr("corrupt"), HasSubstr("truncated")));
}

// Records of the binary version: a label byte, then a red, a green and a blue plane, here constant 3 i, 3 i + 1, 3 i + 2 but for the first
// pixel.
std::string cifar_records(int count) {
  std::string out;
  for (int i = 0; i < count; i++) {
    out += static_cast<char>(i);
    for (int c = 0; c < 3; c++) out += static_cast<char>(100 + c) + std::string(1023, static_cast<char>(3 * i + c));
  }
  return out;
}

TEST(Cifar10, PlanesBecomePixels) {
  write_file("one.bin", cifar_records(2));
  write_file("two.bin", cifar_records(1));
  std::string const directory = std::filesystem::path(temporary("one.bin")).parent_path();
  std::string const one = std::filesystem::path(temporary("one.bin")).filename(),
                    two = std::filesystem::path(temporary("two.bin")).filename();
  Table const table = read_cifar10(directory, {one, two}, 0);
  EXPECT_EQ(table.rows, 3);
  EXPECT_EQ(table.shape, (std::vector<Index>{32, 32, 3}));
  auto const& values = std::get<Bytes>(table.values);
  EXPECT_EQ((Bytes{values.begin(), values.begin() + 6}), (Bytes{100, 101, 102, 0, 1, 2}));
  EXPECT_EQ((Bytes{values.begin() + 3072, values.begin() + 3078}), (Bytes{100, 101, 102, 3, 4, 5}));
  EXPECT_EQ((Bytes{values.end() - 3, values.end()}), (Bytes{0, 1, 2}));
  EXPECT_EQ(read_cifar10(directory, {one, two}, 2).rows, 2);
}

TEST(Cifar10, ErrorsSayWhatIsWrong) {
  std::string const directory = std::filesystem::path(temporary("cut.bin")).parent_path();
  write_file("cut.bin", cifar_records(1).substr(1));
  std::string const cut = std::filesystem::path(temporary("cut.bin")).filename();
  EXPECT_THAT(failure(ExitCode::data, [&] { read_cifar10(directory, {cut}, 0); }),
              HasSubstr("3072 bytes are no whole number of CIFAR-10 records of 3073"));
  EXPECT_THAT(failure(ExitCode::data, [&] { read_cifar10(directory, {"missing.bin"}, 0); }), HasSubstr("missing.bin: cannot be read"));
  EXPECT_THAT(failure(ExitCode::data, [] { read_cifar10("/nowhere", {"a.bin"}, 0); }), HasSubstr("/nowhere: no such directory"));
}

TEST(Csv, NumbersWithAndWithoutHeader) {
  Table const table = read_csv(write_file("a.csv", "\xEF\xBB\xBFx, y\r\n1, -2.5\r\n\r\n+3e2,4\r\n"), true, 0);
  EXPECT_EQ(table.rows, 2);
  EXPECT_EQ(table.shape, (std::vector<Index>{2}));
  EXPECT_EQ(std::get<Floats>(table.values), (Floats{1, -2.5, 300, 4}));
  EXPECT_EQ(read_csv(write_file("b.csv", "1\n2\n3"), false, 2).rows, 2);
}

TEST(Csv, ErrorsNameLineAndColumn) {
  auto const message = [](std::string const& content) {
    return failure(ExitCode::data, [&] { read_csv(write_file("bad.csv", content), false, 0); });
  };
  EXPECT_THAT(message("1,2\n3,4,5\n"), HasSubstr("bad.csv:2: 3 columns found, 2 wanted"));
  EXPECT_THAT(message("1,2\n3,four\n"), AllOf(HasSubstr("bad.csv:2:3"), HasSubstr("\"four\" is not a number")));
  EXPECT_THAT(message("x,y\n1,2\n"), AllOf(HasSubstr("bad.csv:1:1"), HasSubstr("data.header = true")));
  EXPECT_THAT(message("1,\n"), HasSubstr("bad.csv:1:3: \"\" is not a number"));
  EXPECT_THAT(message("1,1e999\n"), HasSubstr("out of range"));
  EXPECT_THAT(message("1,0x10\n"), HasSubstr("not a number"));
  EXPECT_THAT(message("\n\n"), HasSubstr("empty"));
}

class Hdf5 : public testing::Test {
 protected:
  void SetUp() override {
    hid_t const file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t const group = H5Gcreate2(file, "set", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    unsigned char const bytes[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255};
    double const doubles[4] = {0.5, -1, 2, 3};
    int const integers[3] = {7, 8, 9};
    write(group, "bytes", {3, 2, 2}, H5T_STD_U8LE, H5T_NATIVE_UINT8, bytes);
    write(group, "doubles", {2, 2}, H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, doubles);
    write(group, "integers", {3, 1}, H5T_STD_I32LE, H5T_NATIVE_INT, integers);
    write(file, "labels", {3}, H5T_STD_I32LE, H5T_NATIVE_INT, integers);
    write(file, "nothing", {0, 5}, H5T_STD_I32LE, H5T_NATIVE_INT, integers);
    hid_t const text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 2);
    write(file, "text", {2, 1}, text, text, "abcd");
    H5Tclose(text);
    H5Gclose(group);
    H5Fclose(file);
  }
  static void write(hid_t at, char const* name, std::vector<hsize_t> const& extents, hid_t file_type, hid_t memory_type,
                    void const* values) {
    hid_t const space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
    hid_t const dataset = H5Dcreate2(at, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(dataset);
    H5Sclose(space);
  }
  std::string const path_ = temporary("a.h5");
};

TEST_F(Hdf5, BytesStayBytesOthersBecomeFloat) {
  Table const bytes = read_hdf5(path_, "set/bytes", 2);
  EXPECT_EQ(bytes.rows, 2);
  EXPECT_EQ(bytes.shape, (std::vector<Index>{2, 2}));
  EXPECT_EQ(std::get<Bytes>(bytes.values), (Bytes{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(std::get<Floats>(read_hdf5(path_, "/set/doubles", 0).values), (Floats{0.5, -1, 2, 3}));
  EXPECT_EQ(std::get<Floats>(read_hdf5(path_, "set/integers", 0).values), (Floats{7, 8, 9}));
}

TEST_F(Hdf5, ErrorsListWhatTheFileHolds) {
  auto const message = [this](char const* name) { return failure(ExitCode::data, [&] { read_hdf5(path_, name, 0); }); };
  EXPECT_THAT(message("train"),
              AllOf(HasSubstr("no dataset \"train\""), HasSubstr("set/bytes [3, 2, 2]; set/doubles [2, 2]"), HasSubstr("labels [3]")));
  EXPECT_THAT(message("set"), HasSubstr("no dataset \"set\""));
  EXPECT_THAT(message("labels"), HasSubstr("1 axes [3]; wanted rows and at least one more"));
  EXPECT_THAT(message("nothing"), HasSubstr("empty, extents [0, 5]"));
  EXPECT_THAT(message("text"), HasSubstr("neither integers nor floating-point"));
  EXPECT_THAT(failure(ExitCode::data, [] { read_hdf5(write_file("no.h5", "not HDF5"), "x", 0); }), HasSubstr("cannot be opened as HDF5"));
  EXPECT_THAT(failure(ExitCode::data, [] { read_hdf5("/nowhere.h5", "x", 0); }), HasSubstr("no such file"));
}

TEST(Table, NonFiniteValuesAreCounted) {
  Table const table{"some.csv", 3, {2}, Floats{1, 2, 3, NAN, INFINITY, 6}};
  EXPECT_THAT(failure(ExitCode::data, [&] { require_finite(table); }), HasSubstr("some.csv: 2 of 6 values"));
  EXPECT_THAT(failure(ExitCode::data, [&] { require_finite(table); }), HasSubstr("row 1, entry 1"));
}

TEST(Table, HashSeesEveryBit) {
  Table table{"a", 2, {4}, Floats{1, 2, 3, 4, 5, 6, 7, 8}};
  std::uint64_t const original = content_hash(table);
  table.source = "b";
  EXPECT_EQ(content_hash(table), original);
  auto& values = std::get<Floats>(table.values);
  for (std::size_t i = 0; i < values.size(); i++) {
    float const kept = values[i];
    values[i] = -kept;  // the sign bit alone, also in two places at once
    EXPECT_NE(content_hash(table), original);
    values[(i + 2) % 8] *= -1;
    EXPECT_NE(content_hash(table), original);
    values[(i + 2) % 8] *= -1;
    values[i] = kept;
  }
  table.shape = {2, 2};
  EXPECT_NE(content_hash(table), original);
}

TEST(Table, AppendWantsTheSameRows) {
  Table table{"a", 1, {2}, Floats{1, 2}};
  append(table, {"b", 1, {2}, Floats{3, 4}});
  EXPECT_EQ(table.rows, 2);
  EXPECT_EQ(std::get<Floats>(table.values), (Floats{1, 2, 3, 4}));
  EXPECT_THAT(failure(ExitCode::data,
                      [&] {
                        append(table, {"b", 1, {3}, Floats{3, 4, 5}});
                      }),
              HasSubstr("shape [3], but those of a have [2]"));
  EXPECT_THAT(failure(ExitCode::data, [&] { append(table, {"b", 1, {2}, Bytes{3, 4}}); }), HasSubstr("element type"));
}

}  // namespace
}  // namespace partita::data
