// The minibatches of a training run: the same global batches on any number of ranks, computed from the update's number alone.
#pragma once
#include "data/dataset.hpp"

namespace partita::data {

// Deals the items in a new random order each epoch. A batch may reach into the next epoch, so each epoch uses each training item exactly
// once whether or not the batch size divides their number.
class Batches {
 public:
  // Failure(data) where the data set has fewer training items than the batch. The data set must outlive the batches.
  Batches(Dataset const&, Index batch, random::Key);

  Index batch() const { return batch_; }
  double epoch(Index update) const;        // epochs completed before this update
  Item item(Index update, Index j) const;  // entry j of the global batch, 0 <= j < batch
  // This rank's tiles of the batch: lane l of tile t is entry t * width + l (see Dataset::fill). tiling.chains = batch.
  void fill(TileStorage to, Tiling const&, TileRange mine, Index update) const;

 private:
  Dataset const* data_;
  Index batch_, items_;
  random::Key key_;
};

}  // namespace partita::data
