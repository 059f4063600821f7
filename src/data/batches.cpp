#include "data/batches.hpp"

#include "core/require.hpp"

namespace partita::data {

Batches::Batches(Dataset const& data, Index batch, random::Key key)
    : data_(&data), batch_(batch), items_(data.size(Split::train)), key_(key) {
  // Of generated data the deck itself says how many there are.
  require_all(items_ >= batch, data.generated() ? ExitCode::usage : ExitCode::data,
              "{}: {} training items are fewer than train.batch = {}; lower the batch or use more data", data.source(), items_, batch);
}

double Batches::epoch(Index update) const { return double(update) * double(batch_) / double(items_); }

Item Batches::item(Index update, Index j) const {
  Index const place = update * batch_ + j, epoch = place / items_;
  Permutation const order(items_, key_, random::Stream::epoch_permutation, std::uint64_t(epoch));
  return data_->item(Split::train, order(place % items_), epoch);
}

void Batches::fill(TileStorage to, Tiling const& tiling, TileRange mine, Index update) const {
  data_->fill(to, tiling, mine, [this, update](Index j) { return item(update, j); });
}

}  // namespace partita::data
