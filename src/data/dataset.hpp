// A data set in memory: rows as read, split into training, validation and test items, scaled and binarized when they are used.
// Every rank holds the whole table: rows x dimension x 1 byte a rank for bytes, 4 for other numbers, 8 where single precision would lose
// digits of them.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "core/tiling.hpp"
#include "data/permutation.hpp"
#include "data/ratings.hpp"
#include "data/table.hpp"

namespace partita::data {

// The keys that all types of [data] share.
struct DataOptions {
  std::string scaling = "none";
  double scale = 1, offset = 0;
  std::string binarize = "none";
  double threshold = 0.5;
  Index limit = 0;
  double validation_fraction = 0, test_fraction = 0;
};

enum class Split { train, validation, test };

// A row of the table as it is in one epoch: stochastic binarization draws anew in each.
struct Item {
  Index row = 0;
  Index epoch = 0;
};

// A table, and where it comes from.
struct Source {
  Table table;
  Index test_rows = 0;                                  // the last rows of the table when the test items have a file of their own
  std::function<Table(Index set, Index points)> fresh;  // further independent sets, of generated data only; the table is set 0
  std::shared_ptr<Ratings const> ratings = {};          // for a table of ratings: what it does not contain (levels, ids, held-out ratings)
  std::string test_source = {};                         // the file of the test rows
  std::string test_key = {};                            // the key that names it, for messages: "data.test_path"
};

// Something that was read from files. The names of the files may change between the parts of a run, but not what was read.
struct Content {
  std::string role;    // "rows", "test_rows", "held_out_ratings"
  std::string source;  // file and dataset, for messages
  std::uint64_t hash;
};

class Dataset {
 public:
  // Failure(data) for values that are NaN or infinite, that exceed Real after scaling, or that are not probabilities where binarization is
  // stochastic; Failure(usage) where the split leaves no training item.
  Dataset(Source, DataOptions const&, random::Key);

  Index dimension() const { return table_.dimension(); }
  std::vector<Index> const& shape() const { return table_.shape; }  // of one item: {28, 28} for images
  std::string const& source() const { return table_.source; }
  Index size(Split) const;
  Ratings const* ratings() const { return ratings_.get(); }    // null: the data are not ratings
  std::vector<Content> contents() const { return contents_; }  // what was read, before scaling; empty for generated data
  std::size_t bytes() const;
  bool generated() const { return fresh_ != nullptr; }  // rather than read from files

  // Item i of a split, 0 <= i < size(split).
  Item item(Split, Index i, Index epoch = 0) const;
  // Its `dimension()` values after scaling and binarizing.
  template <class T>
  void values(Item, T* out) const;

  // Writes chain c's item into lane c of this rank's tiles `mine` (axis 0 of `to` counts them). Lanes beyond a tile's last chain get the
  // item of its first.
  void fill(TileStorage to, Tiling const&, TileRange mine, std::function<Item(Index chain)> const& item_of) const;

  // Mean and variance of each entry over the training items, epoch 0.
  struct Moments {
    std::vector<double> mean, variance;
  };
  Moments moments() const;

  // Entries of the items that have none of the allowed values.
  struct Outliers {
    std::string first;       // "data.csv: row 3, entry 2 is -1", rows of a file and entries of a row counted from 0
    Index count, of;         // number of such entries, and of all entries of all items
    double lowest, highest;  // of all entries
    bool whole;              // all entries are whole numbers
  };
  // Those of the items as they are in epoch 0; none where all entries are among `values`.
  std::optional<Outliers> outliers(std::vector<double> const& values) const;
  // From now on entries above 1/2 are given as 1 and others as -1, the values of units with signs.
  void use_sign_values() { signs_ = true; }

  // (point, dimension) of all items of a split, epoch 0.
  std::vector<double> points(Split) const;
  // Set number `set` of `count` points of the data distribution outside the training items, (point, dimension); sets 2k and 2k + 1 share no
  // point. Generated data: all sets are independent. Files: drawn without replacement from the test items, or the validation items where
  // there are none; Failure(usage) where these are fewer than 2 * count.
  std::vector<double> held_out(Index set, Index count) const;
  void require_held_out(Index count) const;  // the same Failure(usage), before anything is drawn

  // Warnings about suspicious files and scaled data; those about files are known only to the rank that read them.
  std::vector<std::string> const& warnings() const { return warnings_; }

 private:
  Split split_held_out() const { return test_ > 0 ? Split::test : Split::validation; }
  void set_scaling(DataOptions const&);
  std::pair<double, double> range();
  void standardize();
  bool rounds_nothing() const;
  void require_range() const;
  void look_for_lost_digits();
  double scale(Index entry) const { return scale_[scale_.size() > 1 ? std::size_t(entry) : 0]; }
  double offset(Index entry) const { return offset_[offset_.size() > 1 ? std::size_t(entry) : 0]; }
  void check_probabilities() const;
  std::string place(Index row, Index entry) const;  // for messages
  double raw(Index row, Index entry) const;
  template <class T>
  void transform(Table const&, Item, T* out) const;

  enum class Binarize { none, threshold, stochastic };
  Table table_;
  std::function<Table(Index, Index)> fresh_;
  std::shared_ptr<Ratings const> ratings_;
  random::Key key_;
  Index train_ = 0, validation_ = 0, test_ = 0;
  Permutation order_;                   // of the rows that the fractions split
  bool split_by_order_;                 // false: rows are split in file order
  std::vector<double> scale_, offset_;  // x = scale * value + offset, one number or one for each entry
  Binarize binarize_ = Binarize::none;
  double threshold_;
  bool signs_ = false;
  std::string test_source_;
  std::vector<Content> contents_;
  std::vector<std::string> warnings_;
  std::string test_key_;
};

}  // namespace partita::data
