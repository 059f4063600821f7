#include "comm/tile_sums.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/copy.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

// An aligned block of 2^level tiles: one node of the canonical tree.
struct Node {
  Index first;
  int level;
};

// The largest aligned blocks that tile the range: the sums that its rank can form alone.
std::vector<Node> nodes_of(TileRange range) {
  std::vector<Node> nodes;
  for (Index first = range.first; first < range.end();) {
    int level = 0;
    while (first % (Index(2) << level) == 0 && first + (Index(2) << level) <= range.end()) level++;
    nodes.push_back({first, level});
    first += Index(1) << level;
  }
  return nodes;
}

// Sums are formed on a stack, as in a binary counter: the number of additions due when `node` has arrived on a stack whose first tile is
// `begin`. Each adds the top to the one below, its left sibling.
int additions_after(Node node, Index begin) {
  int additions = 0;
  for (Index index = node.first >> node.level; index % 2 == 1 && (index - 1) << (node.level + additions) >= begin; index /= 2) additions++;
  return additions;
}

Index depth_of_stack(TileRange range) {
  Index depth = 0, deepest = 1;  // a rank without tiles needs a place for the result
  for (Index tile = range.first; tile < range.end(); tile++) {
    deepest = std::max(deepest, ++depth);
    depth -= additions_after({tile, 0}, range.first);
  }
  return deepest;
}

// Every rank's range, in rank order.
std::vector<TileRange> all_ranges(Communicator const& ranks, Index tiles, TileRange mine, Communicator::Place at) {
  std::vector<Index> const bounds = ranks.all_gather(std::vector<Index>{mine.first, mine.count}, at);
  std::vector<TileRange> ranges;
  Index next = 0;
  bool contiguous = true;
  for (std::size_t i = 0; i < bounds.size(); i += 2) {
    ranges.push_back({bounds[i], bounds[i + 1]});
    contiguous = contiguous && ranges.back().first == next;
    next = ranges.back().end();
  }
  require_all(contiguous && next == tiles && tiles > 0, ExitCode::internal, "the ranks' tiles are not [0, {}) in rank order", tiles);
  return ranges;
}

Vector part(Vector const& whole, Index first, Index count) { return Kokkos::subview(whole, std::make_pair(first, first + count)); }

void add(Vector const& to, Vector const& from) {
  Real* const sum = to.data();
  Real const* const term = from.data();
  Kokkos::parallel_for(
      "partita::tile_sums::add", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(to, 0)),
      KOKKOS_LAMBDA(Index i) { sum[i] += term[i]; });
}

// Where the slice of a rank begins.
Index slice_bound(Index length, Index rank, Index ranks) {
  return rank == ranks ? length : length * rank / ranks / lane_quantum * lane_quantum;
}

// The arrays of one rank.
struct Storage {
  std::vector<Vector> stack;  // fast: one running sum
  Vector received;            // reproducible: its slice of the nodes of other ranks

  Storage(Arrays arrays, Summation summation, std::vector<TileRange> const& ranges, Index rank, Index length) {
    bool const fast = summation == Summation::fast;
    Index const sums = fast ? 1 : depth_of_stack(ranges[rank]), all = std::ssize(ranges);
    for (Index i = 0; i < sums; i++) stack.push_back(arrays.make<Vector>("sums over tiles", length));
    if (fast) return;
    std::size_t foreign_nodes = 0;
    for (Index other = 0; other < all; other++)
      if (other != rank) foreign_nodes += nodes_of(ranges[other]).size();
    Index const size = slice_bound(length, rank + 1, all) - slice_bound(length, rank, all);
    received = arrays.make<Vector>("sums over tiles of other ranks", Index(foreign_nodes) * size);
  }
};

// Every rank adds up one slice of the array: it receives that slice of all nodes of the other ranks, follows the tree, and sends the sum to
// all. Everything is laid out once.
struct SliceTree {
  std::vector<Slice> node_sends, node_receives, sum_sends, sum_receives;
  std::vector<std::pair<Vector, Vector>> additions;  // left sibling += right sibling, in order
  Vector sum, place_of_sum;                          // where the additions leave this rank's slice, and where in the result it belongs

  // The stack holds this rank's nodes, of `length` each; the first becomes the result.
  SliceTree(Communicator const& ranks, std::vector<TileRange> const& ranges, Storage const& storage, Index length) {
    std::vector<Vector> const& nodes = storage.stack;
    int const me = ranks.rank(), all = ranks.ranks();
    auto bound = [&](int rank) { return slice_bound(length, rank, all); };
    auto slice_of = [&](Vector const& whole, int rank) { return part(whole, bound(rank), bound(rank + 1) - bound(rank)); };
    auto list = [](std::vector<Slice>& slices, int rank, Vector const& values) {
      if (values.extent(0) > 0) slices.push_back({rank, values});
    };

    Index const size = bound(me + 1) - bound(me);
    std::vector<Vector> stack;
    auto add_top = [&] {
      additions.emplace_back(stack[stack.size() - 2], stack.back());
      stack.pop_back();
    };
    Index offset = 0;
    for (int rank = 0; rank < all; rank++) {
      std::size_t mine = 0;
      for (Node node : nodes_of(ranges[rank])) {
        if (rank == me) {
          Vector const whole = nodes[mine++];
          for (int other = 0; other < all; other++)
            if (other != me) list(node_sends, other, slice_of(whole, other));
          stack.push_back(slice_of(whole, me));
        } else {
          stack.push_back(part(storage.received, offset, size));
          list(node_receives, rank, stack.back());
          offset += size;
        }
        for (int i = additions_after(node, 0); i > 0; i--) add_top();
      }
    }
    while (stack.size() > 1) add_top();

    sum = stack.front();
    place_of_sum = slice_of(nodes.front(), me);
    for (int other = 0; other < all; other++) {
      if (other == me) continue;
      list(sum_sends, other, place_of_sum);
      list(sum_receives, other, slice_of(nodes.front(), other));
    }
  }

  void run(Communicator const& ranks, Communicator::Place at) const {
    ranks.exchange(node_sends, node_receives, at);
    for (auto const& [left, right] : additions) add(left, right);
    if (sum.data() != place_of_sum.data()) copy_array(place_of_sum, sum);
    ranks.exchange(sum_sends, sum_receives, at);
  }
};

}  // namespace

struct TileSums::Work {
  Communicator ranks;
  TileRange mine;
  Storage storage;
  std::optional<SliceTree> tree;  // Summation::reproducible only
  Index depth = 0;                // sums on the stack
  Index next = 0;                 // tile expected

  Vector const& sum(Index i) const { return storage.stack[i]; }

  void close_tile() {
    for (int i = additions_after({next - 1, 0}, mine.first); i > 0; i--) {
      add(sum(depth - 2), sum(depth - 1));
      depth--;
    }
  }
};

TileSums::TileSums(Communicator ranks, Summation summation, Index tiles, TileRange mine, Index length) {
  std::vector<TileRange> const ranges = all_ranges(ranks, tiles, mine, Communicator::Place::current());
  work_.reset(new Work{ranks, mine, Storage({}, summation, ranges, ranks.rank(), length), {}, 0, 0});
  if (summation == Summation::reproducible) work_->tree.emplace(ranks, ranges, work_->storage, length);
}
TileSums::~TileSums() = default;
TileSums::TileSums(TileSums&&) noexcept = default;

void TileSums::start() {
  Work& w = *work_;
  w.next = w.mine.first;
  w.depth = 0;
  if (!w.tree) fill_array(w.sum(0), Real(0));
}

Index TileSums::most_together() const { return work_->tree ? 1 : std::max<Index>(1, work_->mine.count); }

Vector TileSums::partial(Index tile, Index count) {
  Work& w = *work_;
  require(tile == w.next && tile + count <= w.mine.end() && count <= most_together(), ExitCode::internal,
          "tiles [{}, {}) add their sums where tile {} of [{}, {}) was due", tile, tile + count, w.next, w.mine.first, w.mine.end());
  if (!w.tree) {
    w.next += count;
    return w.sum(0);
  }
  if (w.next > w.mine.first) w.close_tile();
  w.next++;
  Vector const sums = w.sum(w.depth++);
  fill_array(sums, Real(0));
  return sums;
}

Vector TileSums::finish(Communicator::Place at) {
  Work& w = *work_;
  require(w.next == w.mine.end(), ExitCode::internal, "tile {} has added nothing", w.next);
  if (!w.tree) {
    w.ranks.all_reduce_sum(w.sum(0), at);
  } else {
    if (w.mine.count > 0) w.close_tile();
    w.tree->run(w.ranks, at);
  }
  return w.sum(0);
}

void TileSums::list(Arrays arrays, Summation summation, Index tiles, Index rank, Index ranks, Index length) {
  std::vector<TileRange> ranges;
  for (Index r = 0; r < ranks; r++) ranges.push_back(share_of_tiles(tiles, int(r), int(ranks)));
  Storage(arrays, summation, ranges, rank, length);
}

std::vector<double> sum_over_tiles(Communicator const& ranks, TileRange mine, Index tiles, std::vector<double> const& per_tile, Index n,
                                   Communicator::Place at) {
  require(per_tile.size() == std::size_t(mine.count * n), ExitCode::internal, "{} values instead of {} rows of {}", per_tile.size(),
          mine.count, n);
  all_ranges(ranks, tiles, mine, at);
  std::vector<double> rows = ranks.all_gather(per_tile, at);
  for (Index apart = 1; apart < tiles; apart *= 2)
    for (Index left = 0; left + apart < tiles; left += 2 * apart)
      for (Index i = 0; i < n; i++) rows[left * n + i] += rows[(left + apart) * n + i];
  rows.resize(n);
  return rows;
}

}  // namespace partita
