// Sums over tiles. Of parameter-sized arrays (gradients) either fast (one running sum a rank, then an all-reduce) or reproducible: along
// one canonical binary tree over the global tile index, so that the bits do not depend on the number of ranks. The tree of n tiles has the
// tree of the first m on its left, m the largest power of two below n, and that of the others on its right.
#pragma once
#include <memory>
#include <vector>

#include "comm/communicator.hpp"
#include "core/arrays.hpp"
#include "core/tiling.hpp"

namespace partita {

enum class Summation { fast, reproducible };

class TileSums {
 public:
  // Collective. `mine` are this rank's tiles; together, in rank order, the ranks' ranges are [0, tiles), tiles > 0. Allocates everything.
  TileSums(Communicator, Summation, Index tiles, TileRange mine, Index length);
  ~TileSums();
  TileSums(TileSums&&) noexcept;

  // After start() call partial for all tiles of this rank, in ascending order: it returns the array of `length` numbers to which the tile,
  // or several neighbouring ones together, add their contribution (+=), valid until the next call.
  void start();
  Vector partial(Index tile, Index count = 1);
  // How many tiles may add together: where the sums are reproducible, each adds alone.
  Index most_together() const;
  // The sum over all tiles of all ranks, the same on every rank, valid until the next start(); collective.
  Vector finish(Communicator::Place = Communicator::Place::current());
  // Lists the arrays of one of so many ranks to which share_of_tiles deals the tiles. Not collective.
  static void list(Arrays, Summation, Index tiles, Index rank, Index ranks, Index length);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

// Statistics: `per_tile` holds a row of n for each of this rank's tiles. Returns the n sums over all tiles, along the same tree: the same
// bits on every rank and on any number of them. Collective; gathers all rows on every rank.
std::vector<double> sum_over_tiles(Communicator const&, TileRange mine, Index tiles, std::vector<double> const& per_tile, Index n,
                                   Communicator::Place = Communicator::Place::current());

}  // namespace partita
