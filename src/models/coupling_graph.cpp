#include "models/coupling_graph.hpp"

#include <algorithm>

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

struct Neighbour {
  Index unit, edge;
};
std::vector<std::vector<Neighbour>> neighbour_lists(Index units, std::vector<Edge> const& edges) {
  std::vector<std::vector<Neighbour>> of(units);
  for (std::size_t e = 0; e < edges.size(); e++) {
    auto const [i, j] = edges[e];
    require(0 <= i && i < j && j < units, ExitCode::internal, "edge {} couples units {} and {} of {}; first < second", e, i, j, units);
    of[i].push_back({j, Index(e)});
    of[j].push_back({i, Index(e)});
  }
  for (auto& list : of) {
    std::sort(list.begin(), list.end(), [](Neighbour a, Neighbour b) { return a.unit < b.unit; });
    auto const twice = std::adjacent_find(list.begin(), list.end(), [](Neighbour a, Neighbour b) { return a.unit == b.unit; });
    require(twice == list.end(), ExitCode::internal, "an edge occurs twice, as numbers {} and {}", twice->edge, (twice + 1)->edge);
  }
  return of;
}

std::vector<std::vector<Index>> colour_classes(std::vector<std::vector<Neighbour>> const& of) {
  std::vector<std::size_t> colour(of.size());
  std::vector<std::vector<Index>> classes;
  for (std::size_t i = 0; i < of.size(); i++) {
    std::vector<bool> taken(classes.size() + 1);
    for (Neighbour const& n : of[i])
      if (n.unit < Index(i)) taken[colour[n.unit]] = true;
    colour[i] = std::size_t(std::find(taken.begin(), taken.end(), false) - taken.begin());
    if (colour[i] == classes.size()) classes.emplace_back();
    classes[colour[i]].push_back(Index(i));
  }
  return classes;
}

}  // namespace

CouplingGraph::CouplingGraph(Index units, std::vector<Edge> const& edges, Arrays arrays) : units_(units), edges_(std::ssize(edges)) {
  std::vector<Index> start{0}, unit, edge, listed, one, two;
  if (arrays.makes()) {
    auto const of = neighbour_lists(units, edges);
    for (auto const& list : of) {
      for (Neighbour const& n : list) unit.push_back(n.unit), edge.push_back(n.edge);
      start.push_back(std::ssize(unit));
    }
    for (Edge const& e : edges) one.push_back(e.first), two.push_back(e.second);
    for (auto const& members : colour_classes(of)) {
      classes.push_back({std::ssize(listed), std::ssize(members)});
      listed.insert(listed.end(), members.begin(), members.end());
    }
  }
  neighbours = {on_device(arrays, "index of each unit's first neighbour", units + 1, start), on_device(arrays, "neighbours", 2 * edges_, unit),
                on_device(arrays, "edges of neighbours", 2 * edges_, edge)};
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
