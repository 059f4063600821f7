#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "comm/tile_sums.hpp"
#include "core/copy.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

// What a tile contributes to one element: a full mantissa and magnitudes over 23 octaves, so that nearly every order of summation has bits
// of its own, in double too.
template <class T>
T contribution(Index tile, Index element) {
  std::uint64_t word = 12345u + 777u * std::uint64_t(tile) + 50021u * std::uint64_t(element);
  for (int i = 0; i < 3; i++) word = word * 6364136223846793005u + 1442695040888963407u;
  return std::ldexp(static_cast<T>(std::int64_t(word)), -63 - int((word >> 32) % 23));
}

// The canonical tree as its definition has it, by recursion.
template <class T>
T tree_sum(Index first, Index tiles, Index element) {
  if (tiles == 1) return contribution<T>(first, element);
  auto const left = Index(std::bit_floor(std::uint64_t(tiles - 1)));
  return tree_sum<T>(first, left, element) + tree_sum<T>(first + left, tiles - left, element);
}

struct Distribution {
  char const* name;
  TileRange (*of)(Index tiles, int rank, int ranks);
};
constexpr Distribution distributions[] = {{"even", share_of_tiles},
                                          {"all on the last rank",
                                           [](Index tiles, int rank, int ranks) {
                                             return rank == ranks - 1 ? TileRange{0, tiles} : TileRange{0, 0};
                                           }},
                                          {"one each, the rest on the last", [](Index tiles, int rank, int ranks) {
                                             Index const first = std::min<Index>(rank, tiles);
                                             return TileRange{first, rank == ranks - 1 ? tiles - first : std::min<Index>(1, tiles - first)};
                                           }}};

void contribute(TileSums& sums, TileRange mine) {
  sums.start();
  for (Index tile = mine.first; tile < mine.end(); tile++) {
    Vector const partial = sums.partial(tile);
    auto const host = values_on_host(partial);
    for (std::size_t i = 0; i < host.extent(0); i++) host(i) += contribution<Real>(tile, Index(i));
    copy_array(partial, host);
  }
}

bool same_bits(Real a, Real b) { return std::memcmp(&a, &b, sizeof a) == 0; }

TEST(TileSums, reproducible_has_the_bits_of_the_canonical_tree) {
  Communicator const ranks = Communicator::world();
  for (Distribution const& distribution : distributions)
    for (Index const tiles : {1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 31, 32, 100})
      for (Index const length : {1, 15, 16, 33, 500}) {
        TileRange const mine = distribution.of(tiles, ranks.rank(), ranks.ranks());
        TileSums sums(ranks, Summation::reproducible, tiles, mine, length);
        for (int repetition = 0; repetition < 2; repetition++) {
          contribute(sums, mine);
          auto const result = values_on_host(sums.finish());
          ASSERT_EQ(extent(result, 0), length);
          for (Index i = 0; i < length; i++)
            ASSERT_TRUE(same_bits(result(i), tree_sum<Real>(0, tiles, i)))
                << distribution.name << ": " << tiles << " tiles, element " << i << " of " << length << ", repetition " << repetition;
        }
      }
}

// Or the tests of bits would show nothing.
template <class T>
int differences_of_running_sum() {
  int different = 0;
  for (Index element = 0; element < 100; element++) {
    T running = 0;
    for (Index tile = 0; tile < 13; tile++) running += contribution<T>(tile, element);
    different += running != tree_sum<T>(0, 13, element);
  }
  return different;
}
TEST(TileSums, order_of_summation_shows_in_the_bits) {
  EXPECT_GT(differences_of_running_sum<Real>(), 20);
  EXPECT_GT(differences_of_running_sum<double>(), 20);
}

TEST(TileSums, fast_is_right_within_rounding) {
  Communicator const ranks = Communicator::world();
  constexpr Index tiles = 13, length = 200;
  TileRange const mine = share_of_tiles(tiles, ranks.rank(), ranks.ranks());
  TileSums sums(ranks, Summation::fast, tiles, mine, length);
  for (int repetition = 0; repetition < 2; repetition++) {
    contribute(sums, mine);
    auto const result = values_on_host(sums.finish());
    for (Index i = 0; i < length; i++) {
      double exact = 0, magnitude = 0;
      for (Index tile = 0; tile < tiles; tile++) {
        exact += contribution<Real>(tile, i);
        magnitude += std::abs(contribution<Real>(tile, i));
      }
      // Each of fewer than tiles + ranks additions rounds by at most half an ulp of the sum of magnitudes.
      double const bound = .5 * double(tiles + ranks.ranks()) * std::numeric_limits<Real>::epsilon() * magnitude;
      EXPECT_NEAR(result(i), exact, bound);
    }
  }
}

TEST(TileSums, keeps_its_buffers) {
  Communicator const ranks = Communicator::world();
  constexpr Index tiles = 32, length = 160;
  TileRange const mine = share_of_tiles(tiles, ranks.rank(), ranks.ranks());
  TileSums sums(ranks, Summation::reproducible, tiles, mine, length);
  contribute(sums, mine);
  Real const* const first = sums.finish().data();
  contribute(sums, mine);
  EXPECT_EQ(sums.finish().data(), first);
  Index const levels = std::bit_width(std::uint64_t(mine.count));
  Index const received = ranks.ranks() == 1 ? 0 : 3 * length;  // each other rank's one to four nodes, a slice of each
  auto const numbers = [&](Summation summation) {
    ArrayList list;
    TileSums::list(Arrays(list), summation, tiles, ranks.rank(), ranks.ranks(), length);
    return list.bytes() / double(sizeof(Real));
  };
  EXPECT_LE(numbers(Summation::reproducible), double(2 * levels * length + received));
  EXPECT_EQ(numbers(Summation::fast), double(length));
}

TEST(TileSums, refuses_tiles_out_of_order) {
  Communicator const ranks = Communicator::world();
  Index const tiles = 2 * ranks.ranks();
  TileRange const mine = share_of_tiles(tiles, ranks.rank(), ranks.ranks());
  for (Summation const summation : {Summation::fast, Summation::reproducible}) {
    TileSums sums(ranks, summation, tiles, mine, 4);
    sums.start();
    EXPECT_THROW(sums.partial(mine.first + 1), Failure);
    sums.partial(mine.first);
    EXPECT_THROW(sums.partial(mine.first), Failure);
    EXPECT_THROW(sums.finish(), Failure);
  }
  EXPECT_THROW(TileSums(ranks, Summation::fast, tiles + 1, mine, 4), Failure);
}

TEST(SumOverTiles, has_the_bits_of_the_canonical_tree) {
  Communicator const ranks = Communicator::world();
  constexpr Index n = 7;
  for (Distribution const& distribution : distributions)
    for (Index const tiles : {1, 2, 3, 6, 13, 64, 100}) {
      TileRange const mine = distribution.of(tiles, ranks.rank(), ranks.ranks());
      std::vector<double> rows;
      for (Index tile = mine.first; tile < mine.end(); tile++)
        for (Index i = 0; i < n; i++) rows.push_back(contribution<double>(tile, i));
      std::vector<double> const sums = sum_over_tiles(ranks, mine, tiles, rows, n);
      ASSERT_EQ(std::ssize(sums), n);
      for (Index i = 0; i < n; i++) {
        double const expected = tree_sum<double>(0, tiles, i);
        EXPECT_EQ(std::memcmp(&sums[i], &expected, sizeof expected), 0) << distribution.name << ": " << tiles << " tiles";
      }
    }
}

}  // namespace
}  // namespace partita
