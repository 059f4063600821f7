// Units coupled in pairs, each pair with a weight, and what machines of such units share: sums over neighbours, sweeps that update only
// uncoupled units at the same time, and energies. Lists of neighbours serve sparse and dense couplings alike.
#pragma once
#include <type_traits>
#include <vector>

#include "core/strip_words.hpp"
#include "models/gibbs_model.hpp"

namespace partita {

struct Edge {
  Index first, second;  // first < second
};

class CouplingGraph {
 public:
  // Edge e has weight number e. Failure(internal) for an edge that occurs twice, or whose ends are not 0 <= first < second < units.
  explicit CouplingGraph(Index units, std::vector<Edge> const& edges) : CouplingGraph(units, std::ssize(edges), edges) {}
  // The same of `count` edges, which may be left out where arrays are only listed.
  CouplingGraph(Index units, Index count, std::vector<Edge> const& edges, Arrays = {});

  Index units() const { return units_; }
  Index edges() const { return edges_; }

  // The neighbours of unit i, in ascending order, are unit(n) by edge(n) for start(i) <= n < start(i + 1).
  struct Neighbours {
    DeviceVector<Index const> start, unit, edge;
    // sum[l] += sum_j weight_ij x_j(l) over the neighbours j < end of unit i, in the precision of the sum.
    template <class Lanes, class Sum>
    KOKKOS_FORCEINLINE_FUNCTION void add(Index i, Index end, ConstVector const& weight, Rows<Real const> x, Lanes lanes, Sum* sum) const {
      Index const count = lanes;
      for (Index n = start(i); n < start(i + 1) && unit(n) < end; n++) {
        Sum const w = static_cast<Sum>(weight(edge(n)));
        Real const* const row = x[unit(n)];
#pragma GCC ivdep
        for (Index l = 0; l < count; l++) sum[l] = std::fma(w, static_cast<Sum>(row[l]), sum[l]);
      }
    }
  };
  Neighbours neighbours;
  DeviceVector<Index const> first, second;  // (edges)

  // Colour classes of mutually uncoupled units, by greedy colouring: each unit gets the first colour that no earlier neighbour has. `order`
  // lists the units class after class.
  struct Class {
    Index first = 0, count = 0;  // in `order`
  };
  std::vector<Class> classes;
  DeviceVector<Index const> order;  // (units)

 private:
  Index units_, edges_;
};

// Failure(usage), which names model.rows and model.columns, unless these make a lattice of up to 10^8 sites, whose bonds are listed in
// memory; a periodic one needs at least 3 rows and columns, or a bond would occur twice.
void require_lattice(Index rows, Index columns, bool periodic);

// Bonds of a lattice whose sites are numbered row by row: for each site the one to the right, then the one below. Periodic: with those
// across the edges.
std::vector<Edge> lattice_edges(Index rows, Index columns, bool periodic);

// Calls body(lanes) with a compile-time number of lanes where the strip is whole, so that loops over them need no remainder.
template <class Body>
KOKKOS_FORCEINLINE_FUNCTION void with_lanes(Index lanes, Body const& body) {
  if (lanes >= strip_lanes) body(std::integral_constant<Index, strip_lanes>());
  else body(lanes);
}

// Updates, for the lanes of a strip, units number first .. end - 1 of `order` that are in `group`, four units that share random numbers.
// See sweep_classes.
template <class Value>
struct UnitDraw {
  Tiles x;
  ConstVector weight;
  Held held;
  CouplingGraph::Neighbours neighbours;
  DeviceVector<Index const> order;
  random::RoundKeys keys;
  ChainNumbers chains;
  random::Stream stream;
  std::uint64_t step;
  bool reversed;
  Value value;

  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index tile, Index lane, Index group, Index first, Index end) const {
    Rows<Real> const rows{&x(tile, 0, lane), Index(x.stride(1))};
    Index const units = extent(order, 0);
    random::StripWords words;
    random::fill(words, keys, chains.of(tile, lane), stream, step, std::uint32_t(group));
    with_lanes(extent(x, 2) - lane, [&](auto strip) {
      Index const here = strip;
      for (Index turn = 0; turn < 4; turn++) {
        Index const k = reversed ? 3 - turn : turn, place = 4 * group + k;
        if (place < first || place >= end) continue;
        Index const i = order(place);
        if (held.data() != nullptr && held(i) != 0) continue;
        Real field[strip_lanes] = {};
        neighbours.add(i, units, weight, {rows.data, rows.pitch}, strip, field);
        auto const next = value(i, k);
        std::uint32_t const *own = words.w[k], *other = words.w[k ^ 1];
        Real* const row = rows[i];
#pragma GCC ivdep
        for (Index l = 0; l < here; l++) row[l] = next(field[l], own[l], other[l]);
      }
    });
  }
};

// A sweep, class after class. value(i, k) returns a function next(field, own, other) for unit i, number k of four that share random
// numbers: the unit's new value from field = sum_j weight_ij x_j, its own random word and that of number k ^ 1. On a CPU each strip of
// lanes goes through all units in its cache; on a GPU the units of a class are also drawn in parallel.
template <class Value>
void sweep_classes(char const* name, CouplingGraph const& graph, ConstVector weight, Tiles x, Sweep const& sweep, Value const& value) {
  using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;
  Index const tiles = extent(x, 0), strips = divide_up(extent(x, 2), strip_lanes);
  Index const units = graph.units();
  bool const reversed = sweep.reversed;
  UnitDraw<Value> const draw{x,
                             weight,
                             sweep.held,
                             graph.neighbours,
                             graph.order,
                             random::round_keys(sweep.key),
                             sweep.chains,
                             sweep.stream,
                             std::uint64_t(sweep.step),
                             reversed,
                             value};
  if constexpr (runs_on_host) {
    Index const groups = divide_up(units, 4);
    Kokkos::parallel_for(
        name, Range(0, tiles * strips), KOKKOS_LAMBDA(Index n) {
          for (Index g = 0; g < groups; g++) draw(n / strips, n % strips * strip_lanes, reversed ? groups - 1 - g : g, 0, units);
        });
  } else {
    auto const classes = graph.classes.size();
    for (std::size_t turn = 0; turn < classes; turn++) {
      CouplingGraph::Class const& c = graph.classes[reversed ? classes - 1 - turn : turn];
      Index const first = c.first, end = c.first + c.count, first_group = first / 4, groups = divide_up(end, 4) - first_group;
      Kokkos::parallel_for(
          name, Range(0, tiles * groups * strips),
          KOKKOS_LAMBDA(Index n) { draw(n / strips / groups, n % strips * strip_lanes, first_group + n / strips % groups, first, end); });
    }
  }
}

// Calls store(tile, lane, energy) with energy = sum_i own(i)(x_i) + scale sum_{j<i} weight_ij x_i x_j, summed over units in double.
template <class Own, class Store>
void pair_energies(char const* name, CouplingGraph const& graph, ConstVector weight, Real scale, ConstTiles x, Own const& own,
                   Store const& store) {
  Index const lanes = extent(x, 2), strips = divide_up(lanes, strip_lanes), pitch = Index(x.stride(1));
  Index const units = graph.units();
  auto const neighbours = graph.neighbours;
  Kokkos::parallel_for(
      name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(x, 0) * strips), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % strips * strip_lanes, tile = n / strips;
        Index const here = lanes - lane < strip_lanes ? lanes - lane : strip_lanes;
        Rows<Real const> const rows{&x(tile, 0, lane), pitch};
        double total[strip_lanes] = {};
        for (Index i = 0; i < units; i++) {
          Real field[strip_lanes] = {};
          neighbours.add(i, i, weight, rows, here, field);
          auto const alone = own(i);
          Real const* const row = rows[i];
#pragma GCC ivdep
          for (Index l = 0; l < here; l++) total[l] += double(std::fma(scale * field[l], row[l], alone(row[l])));
        }
        for (Index l = 0; l < here; l++) store(tile, lane + l, total[l]);
      });
}

}  // namespace partita
