// Points of samples and of any other HDF5 file, for estimators.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "io/hdf5.hpp"

namespace partita {

// Opens a run directory or its samples.h5 or one of its parts (posterior/x unless another dataset is named: chain, draw, dimension), or a
// dataset of any HDF5 file: (n), (n, d) or (n, ...), n points of one draw each. Failure(data): file, dataset, found, wanted; and where
// points are not finite.
class SampleReader {
 public:
  explicit SampleReader(Path const&, std::string const& dataset = "");

  Index chains() const { return chains_; }
  Index draws() const { return draws_; }
  Index dimension() const { return dimension_; }
  std::vector<Index> const& draw_labels() const { return draw_labels_; }  // steps of a run's draws; empty for points of other files
  std::string where() const { return dataset_.where(); }
  bool fits_single_precision() const { return dataset_.fits_single_precision(); }

  // Values (chain, draw, dimension) of `count` chains from `first` on; T is float or double.
  template <class T>
  std::vector<T> read(Index first, Index count) const {
    std::vector<T> values(count * draws_ * dimension_);
    dataset_.read_rows(first, count, hdf5::native_type<T>(), values.data());
    auto const bad = std::find_if(values.begin(), values.end(), [](T v) { return !std::isfinite(v); });
    if (bad != values.end()) refuse(first * draws_ * dimension_ + (bad - values.begin()), double(*bad));
    return values;
  }
  bool has_statistic(std::string const& name) const;
  // Values (chain, draw) of a run's statistic, such as "energy".
  std::vector<double> read_statistic(std::string const& name, Index first, Index count) const;

 private:
  [[noreturn]] void refuse(Index number, double value) const;  // a value that is not finite
  hdf5::File file_;
  hdf5::Dataset dataset_;
  Index chains_ = 0, draws_ = 1, dimension_ = 1;
  std::vector<Index> draw_labels_;
};

}  // namespace partita
