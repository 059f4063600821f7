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
// Combines a number of each entry over the ranks that hold points; nothing to do where each rank holds all.
using Combine = std::function<void(std::vector<double>&, Reduction)>;

// Root mean square by which rounding moves an entry, in its standard deviation over all points; 0 where the entry is the same in all points
// or none is moved. An entry that differs only in digits that rounding drops has 1 or more; so has one of which rounding leaves a
// tenth of the distinct values among the first thousand points of a rank, whatever an outlier does to its deviation.
std::vector<double> rounding_errors(
    Rounded const&, Combine const& = [](std::vector<double>&, Reduction) {});

// Which entries rounding moves by more than 1/35 of their standard deviation, a tenth of it being a rounding step: it then changes their
// variance by more than 1/1200. Empty: none.
std::string rounding_warning(std::string const& source, std::vector<double> const& errors);

}  // namespace partita::data
