// What rounding to single precision does to numbers that were read in double precision.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

namespace partita::data {

// `points` points of `entries` numbers on this rank: values(i, exact, rounded) writes both forms of point i, finite numbers.
struct Rounded {
  Index points, entries;
  std::function<void(Index point, double* exact, double* rounded)> values;
};
// Combines a number for each entry over the ranks that hold points; empty where each rank holds all points.
using Combine = std::function<void(std::vector<double>&, Reduction)>;

// Root mean square rounding error of each entry, in units of its standard deviation over all points; 0 where the entry is the same in all
// points or is exact. It is 1 or more where an entry varies only in digits that rounding drops, and where rounding leaves at most a tenth
// of the distinct values among the first thousand points of a rank: an outlier, which inflates the deviation, does not hide the loss.
std::vector<double> rounding_errors(
    Rounded const&, Combine const& = [](std::vector<double>&, Reduction) {});

// Names the entries that rounding moves by more than 1/35 of their standard deviation: the rounding step is then more than a tenth of it,
// and the variance changes by more than 1/1200. Empty: there are none.
std::string rounding_warning(std::string const& source, std::vector<double> const& errors);

}  // namespace partita::data
