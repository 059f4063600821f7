#include "models/coupling_graph.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "core/copy.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

// Of `count` numbers; with those of `from` where it is made.
DeviceVector<Index const> on_device(Arrays const& arrays, char const* name, Index count, std::vector<Index> const& from) {
  auto const to = arrays.make<DeviceVector<Index>>(name, count);
  if (arrays.makes()) copy_array(to, from);
  return to;
}

// The neighbours of all units one after the other, as CouplingGraph::Neighbours has them, in memory of the size that they need.
struct NeighbourLists {
  std::vector<Index> start, unit, edge;
};

NeighbourLists unsorted_lists(Index units, std::vector<Edge> const& edges) {
  NeighbourLists of{std::vector<Index>(units + 1), std::vector<Index>(2 * edges.size()), std::vector<Index>(2 * edges.size())};
  for (std::size_t e = 0; e < edges.size(); e++) {
    auto const [i, j] = edges[e];
    require(0 <= i && i < j && j < units, ExitCode::internal, "edge {} couples units {} and {} of {}; first < second", e, i, j, units);
    of.start[i + 1]++, of.start[j + 1]++;
  }
  std::partial_sum(of.start.begin(), of.start.end(), of.start.begin());
  std::vector<Index> next(of.start.begin(), of.start.end() - 1);
  auto const add = [&](Index i, Index neighbour, Index edge) {
    of.unit[next[i]] = neighbour;
    of.edge[next[i]++] = edge;
  };
  for (std::size_t e = 0; e < edges.size(); e++) {
    add(edges[e].first, edges[e].second, Index(e));
    add(edges[e].second, edges[e].first, Index(e));
  }
  return of;
}

NeighbourLists neighbour_lists(Index units, std::vector<Edge> const& edges) {
  NeighbourLists of = unsorted_lists(units, edges);
  std::vector<std::pair<Index, Index>> list;  // of one unit: neighbours with their edges
  for (Index i = 0; i < units; i++) {
    list.clear();
    for (Index n = of.start[i]; n < of.start[i + 1]; n++) list.emplace_back(of.unit[n], of.edge[n]);
    std::sort(list.begin(), list.end());
    auto const twice = std::adjacent_find(list.begin(), list.end(), [](auto const& a, auto const& b) { return a.first == b.first; });
    require(twice == list.end(), ExitCode::internal, "an edge occurs twice, as numbers {} and {}", twice->second, (twice + 1)->second);
    for (std::size_t n = 0; n < list.size(); n++) std::tie(of.unit[of.start[i] + n], of.edge[of.start[i] + n]) = list[n];
  }
  return of;
}

std::vector<std::vector<Index>> colour_classes(NeighbourLists const& of) {
  Index const units = std::ssize(of.start) - 1;
  std::vector<std::size_t> colour(units);
  std::vector<std::vector<Index>> classes;
  for (Index i = 0; i < units; i++) {
    std::vector<bool> taken(classes.size() + 1);
    for (Index n = of.start[i]; n < of.start[i + 1] && of.unit[n] < i; n++) taken[colour[of.unit[n]]] = true;
    colour[i] = std::size_t(std::find(taken.begin(), taken.end(), false) - taken.begin());
    if (colour[i] == classes.size()) classes.emplace_back();
    classes[colour[i]].push_back(i);
  }
  return classes;
}

}  // namespace

CouplingGraph::CouplingGraph(Index units, Index count, std::vector<Edge> const& edges, Arrays arrays) : units_(units), edges_(count) {
  NeighbourLists of;
  std::vector<Index> listed, one, two;
  if (arrays.makes()) {
    of = neighbour_lists(units, edges);
    one.reserve(edges.size()), two.reserve(edges.size());
    for (Edge const& e : edges) one.push_back(e.first), two.push_back(e.second);
    for (auto const& members : colour_classes(of)) {
      classes.push_back({std::ssize(listed), std::ssize(members)});
      listed.insert(listed.end(), members.begin(), members.end());
    }
  }
  arrays.count<Index>("edges and neighbours as they are made", 8 * edges_);  // with what std::vector takes in advance
  neighbours = {on_device(arrays, "index of each unit's first neighbour", units + 1, of.start),
                on_device(arrays, "neighbours", 2 * edges_, of.unit), on_device(arrays, "edges of neighbours", 2 * edges_, of.edge)};
  first = on_device(arrays, "first ends of edges", edges_, one), second = on_device(arrays, "second ends of edges", edges_, two),
  order = on_device(arrays, "units by class", units, listed);
}

void require_lattice(Index rows, Index columns, bool periodic) {
  constexpr Index most_sites = 100'000'000;
  require_all(rows <= most_sites / columns, ExitCode::usage,
              "model.rows = {} and model.columns = {} make a lattice of more than {} sites; use a smaller one", rows, columns, most_sites);
  require_all(!periodic || std::min(rows, columns) >= 3, ExitCode::usage,
              "model.rows = {} and model.columns = {} of a periodic lattice (below 3 a bond would occur twice); use at least 3, or "
              "periodic = false",
              rows, columns);
}

std::vector<Edge> lattice_edges(Index rows, Index columns, bool periodic) {
  std::vector<Edge> edges;
  auto const bond = [&](Index a, Index b) { edges.push_back({std::min(a, b), std::max(a, b)}); };
  for (Index r = 0; r < rows; r++)
    for (Index c = 0; c < columns; c++) {
      if (periodic || c + 1 < columns) bond(r * columns + c, r * columns + (c + 1) % columns);
      if (periodic || r + 1 < rows) bond(r * columns + c, (r + 1) % rows * columns + c);
    }
  return edges;
}

}  // namespace partita
