#include "data/load.hpp"

#include <unordered_set>

#include "core/require.hpp"
#include "data/bars_and_stripes.hpp"
#include "data/generated.hpp"

namespace partita::data {
namespace {

struct IdxOptions {
  std::string path, test_path;
};
struct Hdf5Options {
  std::string path, dataset, test_dataset;
  std::vector<Index> shape;
};
struct CsvOptions {
  std::string path, test_path;
  bool header = false;
};

struct RatingsOptions {
  std::string path, group;
  double held_out_fraction = 0.1;
};
struct Cifar10Options {
  std::string path;
};

// One type of [data]: its keys and how its table is made. `shared`: from files, so by one rank for all.
struct Type {
  deck::Schema schema;
  bool shared;
  std::function<Source(deck::Block const&, random::Key, Index limit)> make;
  // Of the rows, and of those of a test source.
  std::function<std::pair<TableSize, Index>(deck::Block const&, Index limit)> size;
};

// Calls code that reads what this key names. A message begins with the key, which is where the problem is shown, however many keys it
// mentions later.
template <class Call>
auto as_named_by(std::string const& key, Call const& call) {
  try {
    return call();
  } catch (Failure const& failure) {
    fail(failure.code(), key + ": " + failure.what(), failure.where(), failure.location(), failure.shutdown());
  }
}

// Training rows followed by those of a separate test source, if any, which this key names.
Source with_test_rows(Table train, std::string const& key, std::string const& test, std::function<Table()> const& read_test) {
  Source source{std::move(train), 0, {}};
  if (test.empty()) return source;
  source.test_key = key;
  as_named_by(key, [&] {
    Table const rows = read_test();
    require_finite(rows);  // here, so that a message names the file of the test rows
    source.test_rows = rows.rows;
    source.test_source = rows.source;
    append(source.table, rows);
  });
  return source;
}

// The same of their sizes; of the former at most `limit` rows, 0: all.
std::pair<TableSize, Index> with_test_size(TableSize train, Index limit, std::string const& test,
                                           std::function<TableSize()> const& size_of_test) {
  if (limit > 0) train.rows = std::min(train.rows, limit);
  return {train, test.empty() ? 0 : size_of_test().rows};
}

// Gives the items the shape from the deck; an empty one leaves them their own.
Table with_shape(Table table, std::vector<Index> const& shape) {
  if (shape.empty()) return table;
  Index size = 1;
  for (Index n : shape) size *= n;
  require(size == table.dimension(), ExitCode::usage, "data.shape has {} numbers per item, but {} has {}; they must agree", size,
          table.source, table.dimension());
  table.shape = shape;
  return table;
}

Type idx() {
  using O = IdxOptions;
  return {deck::schema<O>("idx", "the idx format of the MNIST files, unsigned bytes or floats, plain or gzipped",
                          {deck::key("path", &O::path, "file of the images, not of the labels").required().free_on_restart(),
                           deck::key("test_path", &O::test_path, "file of the test rows; empty: none, or by test_fraction")
                               .excludes({"test_fraction"})
                               .free_on_restart()}),
          true,
          [](deck::Block const& block, random::Key, Index limit) {
            auto const o = block.as<O>();
            return with_test_rows(read_idx(o.path, limit), "data.test_path", o.test_path, [&] { return read_idx(o.test_path, 0); });
          },
          [](deck::Block const& block, Index limit) {
            auto const o = block.as<O>();
            return with_test_size(size_of_idx(o.path), limit, o.test_path, [&] { return size_of_idx(o.test_path); });
          }};
}

Type hdf5() {
  using O = Hdf5Options;
  return {deck::schema<O>(
              "hdf5", "a dataset of an HDF5 file, integers or floating-point numbers, first axis = rows",
              {deck::key("path", &O::path, "the file").required().free_on_restart(),
               deck::key("dataset", &O::dataset, "name of the dataset, \"group/name\"").required().free_on_restart(),
               deck::key("test_dataset", &O::test_dataset, "dataset of the test rows in the same file; empty: none, or by test_fraction")
                   .excludes({"test_fraction"})
                   .free_on_restart(),
               deck::key("shape", &O::shape, "shape of one item where the file does not tell it, such as [28, 28]; empty: as in the file")
                   .at_least(1)}),
          true,
          [](deck::Block const& block, random::Key, Index limit) {
            auto const o = block.as<O>();
            auto const read = [&](std::string const& dataset, Index most) { return with_shape(read_hdf5(o.path, dataset, most), o.shape); };
            require_hdf5(o.path);  // so that all else is about a dataset
            return with_test_rows(as_named_by("data.dataset", [&] { return read(o.dataset, limit); }), "data.test_dataset", o.test_dataset,
                                  [&] { return read(o.test_dataset, 0); });
          },
          [](deck::Block const& block, Index limit) {
            auto const o = block.as<O>();
            return with_test_size(size_of_hdf5(o.path, o.dataset), limit, o.test_dataset,
                                  [&] { return size_of_hdf5(o.path, o.test_dataset); });
          }};
}

Type csv() {
  using O = CsvOptions;
  return {deck::schema<O>(
              "csv", "numbers separated by commas, semicolons or tabs, one row a line; lines that begin with # are comments",
              {deck::key("path", &O::path, "the file").required().free_on_restart(),
               deck::key("test_path", &O::test_path, "file of the test rows; empty: none, or by test_fraction")
                   .excludes({"test_fraction"})
                   .free_on_restart(),
               deck::key("header", &O::header, "whether the first line names the columns, to be skipped even where it begins with #")}),
          true,
          [](deck::Block const& block, random::Key, Index limit) {
            auto const o = block.as<O>();
            return with_test_rows(read_csv(o.path, o.header, limit), "data.test_path", o.test_path,
                                  [&] { return read_csv(o.test_path, o.header, 0); });
          },
          [](deck::Block const& block, Index limit) {
            auto const o = block.as<O>();
            return with_test_size(size_of_csv(o.path, o.header), limit, o.test_path, [&] { return size_of_csv(o.test_path, o.header); });
          }};
}

std::vector<std::string> training_batches() {
  std::vector<std::string> files;
  for (int k = 1; k <= 5; k++) files.push_back(fmt::format("data_batch_{}.bin", k));
  return files;
}
std::vector<std::string> test_batches() { return {"test_batch.bin"}; }

Type cifar10() {
  using O = Cifar10Options;
  return {deck::schema<O>(
              "cifar10", "CIFAR-10 in its binary version: 50,000 training and 10,000 test images (32, 32, 3)",
              {deck::key("path", &O::path, "directory cifar-10-batches-bin, of data_batch_1.bin to data_batch_5.bin and test_batch.bin")
                   .required()
                   .free_on_restart()}),
          true,
          [](deck::Block const& block, random::Key, Index limit) {
            auto const path = block.as<O>().path;
            return with_test_rows(read_cifar10(path, training_batches(), limit), "data.path", path,
                                  [&] { return read_cifar10(path, test_batches(), 0); });
          },
          [](deck::Block const& block, Index limit) {
            auto const path = block.as<O>().path;
            return with_test_size(size_of_cifar10(path, training_batches()), limit, path,
                                  [&] { return size_of_cifar10(path, test_batches()); });
          }};
}

RatingList read_ratings(RatingsOptions const& o, Index limit) {
  return is_hdf5(o.path) ? read_ratings_hdf5(o.path, o.group, limit) : read_ratings_csv(o.path, limit);
}

Type ratings() {
  using O = RatingsOptions;
  return {
      deck::schema<O>(
          "ratings",
          "users' ratings of items, some of them held out; x of a user has an entry for each item: the level 1, 2, ... of the rating, or 0 "
          "for none",
          {deck::key("path", &O::path, "lines \"user,item,rating\" with or without a line of names, or HDF5 datasets user, item and rating")
               .required()
               .free_on_restart(),
           deck::key("group", &O::group, "HDF5: group of the datasets user, item and rating; empty: the root").free_on_restart(),
           deck::key("held_out_fraction", &O::held_out_fraction,
                     "fraction of the ratings kept from training, for estimators alone, chosen at random by the run's seed")
               .at_least(0)
               .below(1)})
          .excludes_common({"scaling", "binarize", "validation_fraction", "test_fraction"}),
      true,
      [](deck::Block const& block, random::Key key, Index limit) {
        auto const o = block.as<O>();
        auto const list = read_ratings(o, limit);
        RatingTable split = split_ratings(list, o.held_out_fraction, key);
        return Source{std::move(split.table), 0, {}, std::make_shared<Ratings const>(std::move(split.ratings))};
      },
      [](deck::Block const& block, Index limit) -> std::pair<TableSize, Index> {
        auto const list = read_ratings(block.as<O>(), limit);
        auto const distinct = [](std::vector<Index> const& ids) { return Index(std::unordered_set<Index>(ids.begin(), ids.end()).size()); };
        return {{distinct(list.user), distinct(list.item), 1}, 0};
      }};
}

template <class Set>
Type generated(std::vector<deck::Key> more = {}) {
  std::vector<deck::Key> keys{
      deck::key("points", &Set::points, "number of points; a larger number keeps the first ones as they are").at_least(1)};
  if constexpr (requires { &Set::noise; })
    keys.push_back(deck::key("noise", &Set::noise, "standard deviation of the Gaussian noise in the formula").at_least(0));
  keys.insert(keys.end(), more.begin(), more.end());
  return {deck::schema<Set>(Set::name, Set::formula, std::move(keys)), false,
          [](deck::Block const& block, random::Key key, Index limit) {
            auto const set = block.as<Set>();
            auto fresh = [set, key](Index number, Index points) { return generate(set, key, number, points); };
            return Source{fresh(0, limit > 0 ? std::min(limit, set.points) : set.points), 0, fresh};
          },
          [](deck::Block const& block, Index limit) {
            return with_test_size({block.as<Set>().points, 2, sizeof(float)}, limit, "", {});
          }};
}

Type bars_and_stripes() {
  using O = BarsAndStripes;
  return {deck::schema<O>("bars_and_stripes", "images whose rows, or whose columns, are all 0 or all 1: the 2^(size + 1) - 2 distinct ones",
                          {deck::key("size", &O::size, "rows and columns of an image").at_least(2).at_most(14),
                           deck::key("copies", &O::copies, "copies of each distinct image, for minibatches larger than their number")
                               .at_least(1)
                               .excludes({"limit"})}),
          false,
          [](deck::Block const& block, random::Key key, Index) {
            auto const set = block.as<O>();
            return Source{data::bars_and_stripes(set), 0,
                          [set, key](Index number, Index points) { return drawn_bars_and_stripes(set, key, number, points); }};
          },
          [](deck::Block const& block, Index) -> std::pair<TableSize, Index> {
            auto const set = block.as<O>();
            return {{set.copies * set.patterns(), set.size * set.size, sizeof(float)}, 0};
          }};
}

std::vector<Type> const& types() {
  static std::vector<Type> const all{
      idx(),
      hdf5(),
      csv(),
      cifar10(),
      ratings(),
      generated<TwoMoons>(),
      generated<EightGaussians>(),
      generated<Rings>(),
      generated<Checkerboard>(),
      generated<Pinwheel>({deck::key("arms", &Pinwheel::arms, "number of arms").at_least(1),
                           deck::key("rate", &Pinwheel::rate, "how strongly an arm bends, radians")}),
      generated<SwissRoll>(),
      generated<TwoSpirals>(),
      bars_and_stripes(),
  };
  return all;
}

std::vector<deck::Key> common_keys() {
  using O = DataOptions;
  return deck::schema<O>(
             "", "",
             {deck::key("scaling", &O::scaling,
                        "how the values read are scaled: none; unit, to [0, 1]; symmetric, to [-1, 1] (bytes from 0..255, "
                        "others from the range of the training items); standardize, each entry to mean 0 and standard "
                        "deviation 1 over the training items; affine, scale * value + offset")
                  .one_of({"none", "unit", "symmetric", "standardize", "affine"}),
              deck::key("scale", &O::scale, "factor of the values").of_any_size().only_with("scaling", {"affine"}),
              deck::key("offset", &O::offset, "what is added to the values, after scale").of_any_size().only_with("scaling", {"affine"}),
              deck::key("binarize", &O::binarize,
                        "how scaled values become 0 or 1: none, they stay; threshold, 1 above the threshold, else 0; "
                        "stochastic, 1 with probability x, drawn anew in each epoch")
                  .one_of({"none", "threshold", "stochastic"}),
              deck::key("threshold", &O::threshold, "scaled value above which a 1 is made").only_with("binarize", {"threshold"}),
              deck::key("limit", &O::limit, "number of rows used, from the first on; 0: all").at_least(0),
              deck::key("validation_fraction", &O::validation_fraction,
                        "fraction of the rows set aside for validation, chosen at random by the run's seed")
                  .at_least(0)
                  .below(1),
              deck::key("test_fraction", &O::test_fraction,
                        "fraction of the rows set aside for the final test, chosen at random by the run's seed")
                  .at_least(0)
                  .below(1)})
      .keys;
}

void broadcast(Table& table, Communicator const& comm) {
  Index const kind = Index(table.values.index());
  std::vector<Index> layout{kind, table.rows, std::ssize(table.shape)};
  comm.broadcast(layout.data(), layout.size() * sizeof(Index));
  if (!comm.is_root() && layout[0] == 1) table.values = std::vector<float>{};
  if (!comm.is_root() && layout[0] == 2) table.values = std::vector<double>{};
  table.rows = layout[1];
  table.shape.resize(layout[2]);
  comm.broadcast(table.shape.data(), table.shape.size() * sizeof(Index));
  comm.broadcast(table.source);
  comm.broadcast(&table.highest_byte, sizeof table.highest_byte);
  std::visit(
      [&](auto& values) {
        values.resize(table.rows * table.dimension());
        comm.broadcast(values.data(), values.size() * sizeof values[0]);
      },
      table.values);
}

template <class T>
void broadcast(std::vector<T>& values, Communicator const& comm) {
  auto size = std::ssize(values);
  comm.broadcast(&size, sizeof size);
  values.resize(size);
  comm.broadcast(values.data(), values.size() * sizeof(T));
}

void broadcast(std::shared_ptr<Ratings const>& ratings, Communicator const& comm) {
  if (comm.all_reduce(Index{ratings != nullptr}, Reduction::maximum) == 0) return;
  Ratings all = ratings ? *ratings : Ratings{};
  broadcast(all.users, comm), broadcast(all.items, comm), broadcast(all.levels, comm), broadcast(all.held_out, comm);
  ratings = std::make_shared<Ratings const>(std::move(all));
}

// One rank reads, so that a file is read once, and a file that only some nodes can see fails on all ranks alike.
Source read_on_root(std::function<Source()> const& read, Communicator const& comm) {
  Source source;
  std::string problem;
  if (comm.is_root()) try {
      source = read();
    } catch (Failure const& failure) {
      problem = failure.what();
    }
  comm.broadcast(problem);
  require_all(problem.empty(), ExitCode::data, "{}", problem);
  broadcast(source.table, comm);
  comm.broadcast(&source.test_rows, sizeof source.test_rows);
  comm.broadcast(source.test_source);
  comm.broadcast(source.test_key);
  broadcast(source.ratings, comm);
  return source;
}

}  // namespace

deck::Section section() {
  deck::Section s;
  s.name = "data";
  s.doc = "the data set that a model learns, or is compared with";
  s.common = common_keys();
  for (Type const& type : types()) s.types.push_back(type.schema);
  return s;
}

namespace {
Type const& type_of(deck::Block const& block) {
  auto const type = std::find_if(types().begin(), types().end(), [&](Type const& t) { return t.schema.type == block.type; });
  require_all(type != types().end(), ExitCode::internal, "data type \"{}\" is in the deck but not in the table of types", block.type);
  return *type;
}
}  // namespace

Dataset load(deck::Block const& block, random::Key key, Communicator const& comm) {
  auto const options = block.as<DataOptions>();
  Type const& type = type_of(block);
  auto const make = [&] { return type.make(block, key, options.limit); };
  return Dataset(type.shared ? read_on_root(make, comm) : make(), options, key);
}

bool is_generated(deck::Block const& block) { return !type_of(block).shared; }

Size list(Arrays held, Arrays reading, deck::Block const& block) {
  auto const [table, test_rows] = type_of(block).size(block, block.as<DataOptions>().limit);
  held.count<char>("data", table.rows + test_rows, table.entries, table.bytes_of_entry);
  if (test_rows > 0)
    reading.count<char>("data before the test rows are appended", table.rows + test_rows, table.entries, table.bytes_of_entry);
  return {table.rows + test_rows, test_rows, table.entries};
}

}  // namespace partita::data
