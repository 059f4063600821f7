// Ratings of items by users: some held out, the others as a table of users and items.
#pragma once
#include <string>
#include <vector>

#include "core/random.hpp"
#include "data/table.hpp"

namespace partita::data {

// Ratings as a file has them.
struct RatingList {
  std::string source;             // for messages
  std::string place;              // what its entries are: "line" or "entry"
  std::vector<Index> user, item;  // ids
  std::vector<double> value;
  std::vector<Index> at;  // number of the line or entry of each rating
  Index size() const { return std::ssize(value); }
};

// Readers, of the first `limit` ratings, 0: all. Anything wrong with the file is Failure(data, all ranks).
// Lines "user,item,rating"; further columns, and a first line of names, are skipped.
RatingList read_ratings_csv(std::string const& path, Index limit);
// Datasets user, item and rating, of one axis each, in a group of an HDF5 file ("": the root).
RatingList read_ratings_hdf5(std::string const& path, std::string const& group, Index limit);
bool is_hdf5(std::string const& path);

// What the table of the training ratings does not contain.
struct Ratings {
  std::vector<Index> users,
      items;                   // ids of the table's rows and entries, ascending; users without training ratings have no row: they follow
  std::vector<double> levels;  // the rating that code k + 1 stands for, ascending: the distinct training ratings
  struct HeldOut {
    Index user, item;  // places in `users` and `items`
    double value;
  };
  std::vector<HeldOut> held_out;  // by user, then by item; for estimators only
};

// A table (users, items) of bytes: codes 1 ... levels.size() of the training ratings, 0 where there is none; and the rest.
struct RatingTable {
  Table table;
  Ratings ratings;
};
// Holds out `held_out_fraction` of the ratings, chosen at random by the key. Failure(data) where a user has two ratings of an item, and for
// more than 255 levels; Failure(usage) where the fraction leaves none to train.
RatingTable split_ratings(RatingList const&, double held_out_fraction, random::Key);

}  // namespace partita::data
