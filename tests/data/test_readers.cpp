#include <hdf5.h>
#include <sys/stat.h>
#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "data/ratings.hpp"
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
using Doubles = std::vector<double>;

std::string write_gzipped(std::string const& name, std::string const& content) {
  std::string const path = temporary(name);
  gzFile const file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, content.data(), unsigned(content.size())), int(content.size()));
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
  EXPECT_THAT(message(idx_bytes(0x0b, {1, 1}, "ab")),
              AllOf(HasSubstr("element type 0x0b (integer of 2 bytes)"), HasSubstr("data.type = \"hdf5\"")));
  EXPECT_THAT(message(idx_bytes(0x55, {1, 1}, "ab")),
              AllOf(HasSubstr("element type 0x55, which there is not"), HasSubstr("fetch it again")));
  EXPECT_THAT(message(idx_bytes(0x08, {3}, "abc")), AllOf(HasSubstr("extents [3]; wanted"), HasSubstr("name the file of the images")));
  EXPECT_THAT(message(idx_bytes(0x08, {2, 2}, "abc")), HasSubstr("truncated, the data has 3 of 4 bytes"));
  EXPECT_THAT(message(idx_bytes(0x08, {1, 2}, "abc")), HasSubstr("longer than its extents [1, 2]"));
  EXPECT_THAT(message(idx_bytes(0x08, {0, 2}, "")), HasSubstr("empty, extents [0, 2]; fetch or write it again"));
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

// Parts of a batch are read, but said: a whole one has 10,000 images.
TEST(Cifar10, OtherNumbersOfImagesAreSaid) {
  std::string const directory = std::filesystem::path(temporary("part.bin")).parent_path();
  auto const name = [](std::string const& file) { return std::filesystem::path(temporary(file)).filename().string(); };
  write_file("part.bin", cifar_records(2));
  write_file("whole.bin", std::string(10000 * 3073, '\1'));
  Table const part = read_cifar10(directory, {name("whole.bin"), name("part.bin")}, 0);
  EXPECT_EQ(part.rows, 10002);
  ASSERT_EQ(part.warnings.size(), 1u);
  EXPECT_THAT(part.warnings[0], AllOf(HasSubstr("a batch of CIFAR-10 has 10000 images, but " + name("part.bin") + " has 2; fetch"),
                                      testing::Not(HasSubstr("whole"))));
  EXPECT_TRUE(read_cifar10(directory, {name("whole.bin")}, 5).warnings.empty());
  std::filesystem::remove(temporary("whole.bin"));
}

TEST(Cifar10, ErrorsSayWhatIsWrong) {
  std::string const directory = std::filesystem::path(temporary("cut.bin")).parent_path();
  write_file("cut.bin", cifar_records(1).substr(1));
  std::string const cut = std::filesystem::path(temporary("cut.bin")).filename();
  EXPECT_THAT(failure(ExitCode::data, [&] { read_cifar10(directory, {cut}, 0); }),
              HasSubstr("3072 bytes are not a whole number of CIFAR-10 records of 3073"));
  EXPECT_THAT(failure(ExitCode::data, [&] { read_cifar10(directory, {"missing.bin"}, 0); }), HasSubstr("missing.bin: cannot be read"));
  EXPECT_THAT(failure(ExitCode::data, [] { read_cifar10("/nowhere", {"a.bin"}, 0); }), HasSubstr("/nowhere: no such directory"));
}

TEST(Csv, NumbersWithAndWithoutHeader) {
  Table const table = read_csv(write_file("a.csv", "\xEF\xBB\xBFx, y\r\n1, -2.5\r\n\r\n+3e2,4\r\n"), true, 0);
  EXPECT_EQ(table.rows, 2);
  EXPECT_EQ(table.shape, (std::vector<Index>{2}));
  EXPECT_EQ(std::get<Doubles>(table.values), (Doubles{1, -2.5, 300, 4}));
  EXPECT_EQ(read_csv(write_file("b.csv", "1\n2\n3"), false, 2).rows, 2);
}
TEST(Csv, SemicolonsAndTabsSeparateToo) {
  for (std::string const text : {"1;-2.5;3\n4; 5;6\n", "1\t-2.5\t3\n4\t5\t6\t\n", "1,-2.5,3\n4,\t5,6\n"})
    EXPECT_EQ(std::get<Doubles>(read_csv(write_file("c.csv", text), false, 0).values), (Doubles{1, -2.5, 3, 4, 5, 6})) << text;
  EXPECT_THAT(failure(ExitCode::data, [] { read_csv(write_file("d.csv", "1;2\n3;4,5\n"), false, 0); }),
              HasSubstr(":2:3: \"4,5\" is not a number"));
}

// Longer than the blocks in which the file is read.
TEST(Csv, GzippedTextIsReadAsItIs) {
  std::string text;
  Doubles wanted;
  for (int i = 0; i < 300000; i++) text += std::to_string(i) + ",0.1\n", wanted.insert(wanted.end(), {double(i), 0.1});
  std::string const plain = write_file("long.csv", text), packed = write_gzipped("long.csv.gz", text);
  for (std::string const& path : {plain, packed}) {
    Table const table = read_csv(path, false, 0);
    EXPECT_EQ(table.rows, 300000);
    EXPECT_EQ(std::get<Doubles>(table.values), wanted);
  }
  std::ifstream in(packed, std::ios::binary);
  std::string const bytes((std::istreambuf_iterator<char>(in)), {});
  EXPECT_THAT(failure(ExitCode::data, [&] { read_csv(write_file("cut.csv.gz", bytes.substr(0, bytes.size() / 2)), false, 0); }),
              HasSubstr("cut.csv.gz: truncated"));
}

TEST(Csv, OtherFormatsAreNamed) {
  using namespace std::string_literals;
  auto const message = [](std::string const& content) {
    return failure(ExitCode::data, [&] { read_csv(write_file("other.csv", content), false, 0); });
  };
  EXPECT_THAT(message("\xFF\xFE\x31\0\x2C\0"s), HasSubstr("other.csv: UTF-16 text; save it as UTF-8"));
  EXPECT_THAT(message("\xFE\xFF\0\x31\0\x2C"s), HasSubstr("UTF-16 text"));
  EXPECT_THAT(message("1\0,\0"s), HasSubstr("binary, or UTF-16 text"));
  EXPECT_THAT(message("\x89HDF\r\n\x1a\n"), HasSubstr("set data.type = \"hdf5\""));
  EXPECT_THAT(message("\x93NUMPY\x01"), HasSubstr("a NumPy array; write it"));
  EXPECT_THAT(message("PK\x03\x04..."), HasSubstr("a zip archive"));
  EXPECT_THAT(message("\0\0\x08\x03"s), HasSubstr("set data.type = \"idx\""));
}

// To open a pipe without a writer would wait for ever.
TEST(Readers, PipesAndDevicesAreRefused) {
  std::string const pipe = temporary("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (std::string const& path : {pipe, std::string("/dev/zero")})
    for (auto const& read : std::vector<std::function<void()>>{[&] { read_csv(path, false, 0); }, [&] { read_idx(path, 0); },
                                                               [&] { read_hdf5(path, "x", 0); }, [&] { is_hdf5(path); }})
      EXPECT_THAT(failure(ExitCode::data, read), HasSubstr(path + ": is a pipe, a socket or a device"));
}

TEST(Csv, ErrorsNameLineAndColumn) {
  auto const message = [](std::string const& content) {
    return failure(ExitCode::data, [&] { read_csv(write_file("bad.csv", content), false, 0); });
  };
  EXPECT_THAT(message("1,2\n3,4,5\n"),
              AllOf(HasSubstr("bad.csv:2: 3 columns found, 2 wanted"), HasSubstr("; correct or remove this line")));
  EXPECT_THAT(message("1,2\n3,four\n"), AllOf(HasSubstr("bad.csv:2:3"), HasSubstr("\"four\" is not a number")));
  EXPECT_THAT(message("x,y\n1,2\n"), AllOf(HasSubstr("bad.csv:1:1"), HasSubstr("data.header = true")));
  EXPECT_THAT(message("1,\n"), AllOf(HasSubstr("bad.csv:1:3: \"\" is not a number"), HasSubstr("fill in a number")));
  EXPECT_THAT(message("1,two\n"), testing::Not(HasSubstr("data.header")));
  EXPECT_THAT(message("1,5;2,5\n"), AllOf(HasSubstr("\"1,5\" is not a number"), HasSubstr("decimal points")));
  EXPECT_THAT(message("1 2 3\n"), HasSubstr("not by spaces"));
  for (char const* beyond : {"1e999", "1e-999"})
    EXPECT_THAT(message(std::string("1,") + beyond + "\n"),
                HasSubstr(std::string("bad.csv:1:3: \"") + beyond +
                          "\" is out of range; write 0, or a number between 2.3e-308 and 1.7e308 in size"));
  EXPECT_THAT(message("1,0x10\n"), HasSubstr("not a number"));
  EXPECT_THAT(message("\n\n"), HasSubstr("empty"));
}

TEST(Csv, TheLineOfNamesMayBeAComment) {
  auto const read = [](std::string const& content, bool header) { return read_csv(write_file("names.csv", content), header, 0); };
  auto const rows = [](Table const& t) { return std::get<std::vector<double>>(t.values); };
  std::vector<double> const wanted{1, 2, 3, 4};
  EXPECT_EQ(rows(read("a,b\n1,2\n3,4\n", true)), wanted);
  for (bool header : {false, true}) EXPECT_EQ(rows(read("# a,b\n1,2\n3,4\n# the end\n", header)), wanted) << header;
  EXPECT_EQ(rows(read("# of the 3rd run\na,b\n1,2\n3,4\n", true)), wanted);
  EXPECT_TRUE(read("a,b\n1,2\n3,4\n", true).warnings.empty());
}

TEST(Csv, NumbersInTheLineOfNamesAreSaid) {
  auto const read = [](std::string const& content, bool header) { return read_csv(write_file("numbers.csv", content), header, 0); };
  Table const lost = read("5,6\n1,2\n", true);
  EXPECT_EQ(lost.rows, 1);
  ASSERT_EQ(lost.warnings.size(), 1u);
  EXPECT_THAT(lost.warnings[0], AllOf(HasSubstr("numbers.csv:1: a row of numbers, skipped"), HasSubstr("data.header = true")));
  // As pandas names columns that have no names.
  EXPECT_TRUE(read("0,1,2\n5,6,7\n", true).warnings.empty());
  Table const kept = read("0,1,2\n5,6,7\n", false);
  EXPECT_EQ(kept.rows, 2);
  ASSERT_EQ(kept.warnings.size(), 1u);
  EXPECT_THAT(kept.warnings[0], HasSubstr("set data.header = true"));
}

TEST(Csv, EveryLineEndIsOne) {
  std::vector<double> const wanted{1, 2, 3, 4, 5, 6};
  for (std::string const end : {"\n", "\r\n", "\r"}) {
    for (std::string const first : {"# exported", "x,y"}) {
      std::string content = first + end + "1,2" + end + "3,4" + end + "5,6" + end;
      EXPECT_EQ(std::get<std::vector<double>>(read_csv(write_file("ends.csv", content), true, 0).values), wanted) << content;
    }
    EXPECT_THAT(failure(ExitCode::data, [&] { read_csv(write_file("ends.csv", "1,2" + end + "3,x" + end), false, 0); }),
                HasSubstr("ends.csv:2:3"));
  }
}

// The first line says what separates fields, and how many there are.
TEST(Csv, OneSeparatorAFile) {
  auto const message = [](std::string const& content, bool header) {
    return failure(ExitCode::data, [&] { read_csv(write_file("separators.csv", content), header, 0); });
  };
  EXPECT_THAT(message("1;2\n3,5\n5;6\n", false), AllOf(HasSubstr("separators.csv:2"), HasSubstr("separated by ';'")));
  EXPECT_THAT(message("1\t2\n3,5\n", false), AllOf(HasSubstr("separators.csv:2"), HasSubstr("separated by tabs")));
  EXPECT_THAT(message("x;y\n1,5\n", true), HasSubstr("separators.csv:2"));
  EXPECT_THAT(message("x,y,z\n1,5\n", true), HasSubstr("2 columns found, 3 wanted"));
  EXPECT_THAT(message("x\n1,5\n", true), HasSubstr("2 columns found, 1 wanted"));
  EXPECT_THAT(message("1\t2\t\n3\t4\t\n", false), HasSubstr("\"\" is not a number"));
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
    write_other_types(file);
    H5Gclose(H5Gcreate2(file, "ring", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    for (char const* name : {"ring/a", "ring/b", "ring/c"}) H5Lcreate_hard(file, "ring", file, name, H5P_DEFAULT, H5P_DEFAULT);
    hid_t const text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 2);
    write(file, "text", {2, 1}, text, text, "abcd");
    H5Tclose(text);
    H5Gclose(group);
    H5Fclose(file);
  }
  static void write_other_types(hid_t file) {
    // As h5py writes numpy.bool, and as PyTables does.
    hid_t const truth = H5Tenum_create(H5T_STD_I8LE);
    signed char const no = 0, yes = 1, flags[4] = {1, 0, 0, 1};
    H5Tenum_insert(truth, "FALSE", &no), H5Tenum_insert(truth, "TRUE", &yes);
    write(file, "types/truth", {2, 2}, truth, truth, flags);
    write(file, "types/bits", {2, 2}, H5T_STD_B8LE, H5T_NATIVE_B8, flags);
    hid_t const colours = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(colours, "RED", &no), H5Tenum_insert(colours, "GREEN", &yes);
    write(file, "types/colours", {2, 2}, colours, colours, flags);
    double const numbers[4] = {1, -2.5, 0.125, 300}, precise[4] = {1e8 + 0.5, 1, 2, 3};
    hid_t const half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10), H5Tset_size(half, 2), H5Tset_ebias(half, 15);
    write(file, "types/float16", {2, 2}, half, H5T_NATIVE_DOUBLE, numbers);
    write(file, "types/float32be", {2, 2}, H5T_IEEE_F32BE, H5T_NATIVE_DOUBLE, numbers);
    write(file, "types/precise", {2, 2}, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, precise);
    write(file, "types/long_double", {2, 2}, H5T_NATIVE_LDOUBLE, H5T_NATIVE_DOUBLE, numbers);
    std::int64_t const whole[4] = {-3, 0, 100, 127}, large[4] = {1, 2, 3, (std::int64_t{1} << 53) + 1};
    for (auto const& [name, type] : std::vector<std::pair<char const*, hid_t>>{
             {"int8", H5T_STD_I8LE}, {"int16", H5T_STD_I16BE}, {"int32", H5T_STD_I32BE}, {"int64", H5T_STD_I64LE}})
      write(file, (std::string("types/") + name).c_str(), {2, 2}, type, H5T_NATIVE_INT64, whole);
    write(file, "types/uint64", {1, 3}, H5T_STD_U64LE, H5T_NATIVE_INT64, whole + 1);
    write(file, "types/beyond", {2, 2}, H5T_STD_I64LE, H5T_NATIVE_INT64, large);
    hid_t const record = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(record, "r", 0, H5T_NATIVE_DOUBLE), H5Tinsert(record, "i", 8, H5T_NATIVE_DOUBLE);
    write(file, "types/complex", {1, 2}, record, record, numbers);
  }
  static void write(hid_t at, char const* name, std::vector<hsize_t> const& extents, hid_t file_type, hid_t memory_type,
                    void const* values) {
    hid_t const space = H5Screate_simple(int(extents.size()), extents.data(), nullptr);
    hid_t const links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t const dataset = H5Dcreate2(at, name, file_type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(links);
    EXPECT_GE(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    H5Dclose(dataset);
    H5Sclose(space);
  }
  std::string const path_ = temporary("a.h5");
};

TEST_F(Hdf5, BytesStayBytesOthersKeepTheirDigits) {
  Table const bytes = read_hdf5(path_, "set/bytes", 2);
  EXPECT_EQ(bytes.rows, 2);
  EXPECT_EQ(bytes.shape, (std::vector<Index>{2, 2}));
  EXPECT_EQ(std::get<Bytes>(bytes.values), (Bytes{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(std::get<Doubles>(read_hdf5(path_, "/set/doubles", 0).values), (Doubles{0.5, -1, 2, 3}));
  EXPECT_EQ(std::get<Doubles>(read_hdf5(path_, "set/integers", 0).values), (Doubles{7, 8, 9}));
  EXPECT_EQ(std::get<Doubles>(read_hdf5(path_, "types/precise", 0).values), (Doubles{1e8 + 0.5, 1, 2, 3}));
}

TEST_F(Hdf5, TypesThatCommonWritersMake) {
  for (char const* name : {"types/truth", "types/bits"}) {
    Table const flags = read_hdf5(path_, name, 0);
    EXPECT_EQ(std::get<Bytes>(flags.values), (Bytes{1, 0, 0, 1})) << name;
    EXPECT_EQ(flags.highest_byte, 1);
  }
  for (char const* name : {"types/float16", "types/float32be"})
    EXPECT_EQ(std::get<Floats>(read_hdf5(path_, name, 0).values), (Floats{1, -2.5, 0.125, 300})) << name;
  for (char const* name : {"types/int8", "types/int16"})
    EXPECT_EQ(std::get<Floats>(read_hdf5(path_, name, 0).values), (Floats{-3, 0, 100, 127})) << name;
  for (char const* name : {"types/int32", "types/int64"})
    EXPECT_EQ(std::get<Doubles>(read_hdf5(path_, name, 0).values), (Doubles{-3, 0, 100, 127})) << name;
  EXPECT_EQ(std::get<Doubles>(read_hdf5(path_, "types/uint64", 0).values), (Doubles{0, 100, 127}));
}

// Links into other files are followed where these are files; a pipe would be waited for.
TEST_F(Hdf5, LinksLeadIntoRegularFilesAlone) {
  std::string const pipe = temporary("linked_pipe"), linking = temporary("linking.h5");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  hid_t const file = H5Fcreate(linking.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external(pipe.c_str(), "/x", file, "to_pipe", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external(path_.c_str(), "/set/bytes", file, "to_file", H5P_DEFAULT, H5P_DEFAULT);
  hsize_t const extents[2] = {2, 2};
  hid_t const space = H5Screate_simple(2, extents, nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(properties, pipe.c_str(), 0, H5F_UNLIMITED);
  H5Dclose(H5Dcreate2(file, "outside", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT));
  H5Pclose(properties), H5Sclose(space), H5Fclose(file);
  EXPECT_EQ(read_hdf5(linking, "to_file", 0).rows, 3);
  EXPECT_THAT(failure(ExitCode::data, [&] { read_hdf5(linking, "to_pipe", 0); }), HasSubstr("no dataset \"to_pipe\""));
  EXPECT_THAT(failure(ExitCode::data, [&] { read_hdf5(linking, "outside", 0); }), HasSubstr("its values are stored in other files"));
}

TEST_F(Hdf5, OtherTypesAreRefusedWithWhatToDo) {
  auto const message = [this](char const* name) { return failure(ExitCode::data, [&] { read_hdf5(path_, name, 0); }); };
  EXPECT_THAT(message("types/colours"), HasSubstr("names of an enumeration; write the numbers"));
  EXPECT_THAT(message("types/complex"), HasSubstr("records of several fields (complex numbers, tables); write each field"));
  EXPECT_THAT(message("types/long_double"), HasSubstr("numbers of 16 bytes, more than double precision holds; write them as float64"));
  EXPECT_THAT(message("types/beyond"), HasSubstr("row 1, entry 1 is 9007199254740992, and integers from 2^53 on lose digits"));
}

TEST_F(Hdf5, ErrorsListWhatTheFileHolds) {
  auto const message = [this](char const* name) { return failure(ExitCode::data, [&] { read_hdf5(path_, name, 0); }); };
  EXPECT_THAT(message("train"),
              AllOf(HasSubstr("no dataset \"train\""), HasSubstr("set/bytes [3, 2, 2]; set/doubles [2, 2]"), HasSubstr("labels [3]")));
  EXPECT_THAT(message("set"), HasSubstr("no dataset \"set\""));
  EXPECT_THAT(message("labels"), HasSubstr("extents [3]; wanted an axis of rows and at least one more; write it with extents [3, 1]"));
  EXPECT_THAT(message("nothing"), AllOf(HasSubstr("empty, extents [0, 5]; name another dataset"), HasSubstr("labels [3]")));
  EXPECT_THAT(message("text"), HasSubstr("text; write numbers"));
  EXPECT_THAT(failure(ExitCode::data, [] { read_hdf5(write_file("no.h5", "\x93NUMPY"), "x", 0); }), HasSubstr("a NumPy array"));
  EXPECT_THAT(failure(ExitCode::data, [] { read_hdf5(write_file("no.h5", "not HDF5"), "x", 0); }),
              AllOf(HasSubstr("cannot be opened as HDF5"), HasSubstr("; name an HDF5 file")));
  EXPECT_THAT(failure(ExitCode::data, [] { read_hdf5("/nowhere.h5", "x", 0); }), HasSubstr("no such file"));
}

TEST(Table, NonFiniteValuesAreCounted) {
  Table const table{"some.csv", 3, {2}, Floats{1, 2, 3, NAN, INFINITY, 6}};
  EXPECT_THAT(failure(ExitCode::data, [&] { require_finite(table); }), HasSubstr("some.csv: 2 of 6 values"));
  EXPECT_THAT(failure(ExitCode::data, [&] { require_finite(table); }), HasSubstr("row 1, entry 1"));
}

TEST(Table, HashSeesEveryBit) {
  Table table{"a", 2, {4}, Floats{1, 2, 3, 4, 5, 6, 7, 8}};
  auto const content_hash = [](Table const& t) { return data::content_hash(t, 0, t.rows); };
  std::uint64_t const original = content_hash(table);
  table.source = "b";
  EXPECT_EQ(content_hash(table), original);
  EXPECT_EQ(content_hash({"c", 2, {4}, Doubles{1, 2, 3, 4, 5, 6, 7, 8}}), original);  // however they are stored
  EXPECT_NE(content_hash({"c", 2, {4}, Bytes{1, 2, 3, 4, 5, 6, 7, 8}}), original);    // what scaling tells apart
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
              HasSubstr("shape [3], but those of a have shape [2]"));
  EXPECT_THAT(failure(ExitCode::data, [&] { append(table, {"b", 1, {2}, Bytes{3, 4}}); }), HasSubstr("element type"));
  append(table, {"b", 1, {2}, Doubles{0.1, 6}});  // which floats would not hold
  EXPECT_EQ(std::get<Doubles>(table.values), (Doubles{1, 2, 3, 4, 0.1, 6}));
}

TEST(Table, DoublesBecomeFloatsWhereNoneLosesADigit) {
  Table exact{"a", 2, {1}, Doubles{0.5, 16777216}}, not_exact{"a", 2, {1}, Doubles{0.5, 16777217}};
  narrow_where_exact(exact), narrow_where_exact(not_exact);
  EXPECT_EQ(std::get<Floats>(exact.values), (Floats{0.5, 16777216}));
  EXPECT_EQ(std::get<Doubles>(not_exact.values), (Doubles{0.5, 16777217}));
}

}  // namespace
}  // namespace partita::data
