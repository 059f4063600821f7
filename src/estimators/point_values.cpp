#include "estimators/point_values.hpp"

#include <algorithm>
#include <cmath>

#include "core/copy.hpp"
#include "estimators/entry.hpp"

namespace partita {
namespace {

struct GridOptions {
  std::vector<double> lowest = {-4}, highest = {4};
  Index points = 200;
};
struct ObservedOptions {
  Index points = 2000;
};

constexpr double most_grid_points = 1e8;

double grid_points(GridOptions const& o, Index dimension) { return std::pow(double(o.points), double(dimension)); }

// Points of a grid in one or two dimensions, the last coordinate fastest.
struct Grid {
  std::vector<std::vector<double>> axes;
  std::vector<double> points;  // (point, dimension)

  Grid(GridOptions const& o, Index dimension) {
    for (std::size_t k = 0; k < std::size_t(dimension); k++) {
      double const low = o.lowest[std::min(k, o.lowest.size() - 1)], high = o.highest[std::min(k, o.highest.size() - 1)];
      axes.emplace_back();
      for (Index i = 0; i < o.points; i++) axes[k].push_back(low + (high - low) * double(i) / double(o.points - 1));
    }
    points.reserve(std::size_t(grid_points(o, dimension) * double(dimension)));
    for (double a : axes[0]) {
      if (dimension == 1) points.push_back(a);
      else
        for (double b : axes[1]) points.insert(points.end(), {a, b});
    }
  }
  // Writes the axes, and the values at the points: one number for each, or `components` numbers.
  void write(hdf5::File const& file, std::string const& name, std::vector<double> const& values, Index components = 0) const {
    hdf5::Extents extents;
    for (std::size_t k = 0; k < axes.size(); k++) {
      file.write(fmt::format("x{}", k), axes[k]);
      extents.push_back(std::ssize(axes[k]));
    }
    if (components > 0) extents.push_back(components);
    file.create_dataset(name, hdf5::native_type<double>(), extents).write(values);
  }
};

// evaluate(x, result) at points (point, dimension), a tile at a time on this rank: (point, rows) of the results' first `rows` rows.
template <class Evaluate>
std::vector<double> at_points(Model& model, std::vector<double> const& points, Index rows, Evaluate const& evaluate) {
  Index const d = model.dimension(), n = std::ssize(points) / d;
  Tiling const tiling{n, pitch_quantum};
  TileStorage const x("points", 1, d, tiling.pitch()), result("values at points", 1, rows, tiling.pitch());
  auto const host_x = Kokkos::create_mirror_view(x), host_result = Kokkos::create_mirror_view(result);
  model.reserve(1, tiling.width);
  std::vector<double> out;
  out.reserve(std::size_t(n * rows));
  for (Index tile = 0; tile < tiling.tiles(); tile++) {
    Index const lanes = tiling.lanes(tile), real = tiling.chains_in(tile);
    for (Index l = 0; l < lanes; l++)
      for (Index i = 0; i < d; i++) host_x(0, i, l) = Real(points[(tile * tiling.width + std::min(l, real - 1)) * d + i]);
    copy_array(x, host_x);
    auto const row = std::pair(Index{0}, lanes);
    evaluate(Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, row), Kokkos::subview(result, Kokkos::ALL, Kokkos::ALL, row));
    copy_array(host_result, result);
    for (Index l = 0; l < real; l++)
      for (Index i = 0; i < rows; i++) out.push_back(host_result(0, i, l));
  }
  return out;
}

void has_a_grid(Fit const& fit) {
  if (!fit.sizes) return;
  auto const d = std::size_t(fit.sizes->dimension);
  if (d > 2)
    return fit.refuse(
        "", fmt::format("estimator.type = \"{}\" is for one or two dimensions, but this model has {}; remove it", fit.own.type, d));
  auto const o = fit.own.as<GridOptions>();
  if (double const all = grid_points(o, fit.sizes->dimension); all > most_grid_points)
    fit.refuse("points", fmt::format("estimator.points = {} along each of {} coordinates makes {:.3g} points, more than the {:.3g} that a "
                                     "grid may have; use fewer",
                                     o.points, d, all, most_grid_points));
  auto const one_or_each = [d](std::vector<double> const& ends) { return ends.size() == 1 || ends.size() == d; };
  if (!one_or_each(o.lowest) || !one_or_each(o.highest))
    return fit.refuse(
        "lowest",
        fmt::format("estimator.lowest has {} numbers and estimator.highest {}; give one number, or one for each of the {} coordinates",
                    o.lowest.size(), o.highest.size(), d));
  for (std::size_t k = 0; k < d; k++)
    if (double const low = o.lowest[std::min(k, o.lowest.size() - 1)], high = o.highest[std::min(k, o.highest.size() - 1)]; low >= high)
      fit.refuse("lowest",
                 fmt::format("estimator.lowest = {} is not below estimator.highest = {} of coordinate {}; exchange them", low, high, k));
}

// The points of a grid, and `components` numbers at each, which are there once more while their file is written.
void list_grid(EstimatorListing const& l, Index components) {
  Index const d = l.model->dimension(), points = Index(grid_points(l.block.as<GridOptions>(), d));
  l.arrays.count<double>("points of the grid, values at them, and their file", points, d + 2 * components);
}

Metrics energy_grid(Subject const& s, deck::Block const& block) {
  auto* const model = &as<EnergyModel>(*s.model);
  Grid const grid(block.as<GridOptions>(), model->dimension());
  auto const values = energies(*model, grid.points);
  write_estimate(s, "energy_grid", [&](hdf5::File const& file) { grid.write(file, "energy", values); });
  return {};
}

Metrics score_grid(Subject const& s, deck::Block const& block) {
  auto* const model = &as<ScoreModel>(*s.model);
  Index const d = model->dimension();
  Grid const grid(block.as<GridOptions>(), d);
  auto values = at_points(*model, grid.points, d, [&](ConstTiles x, Tiles gradient) { model->gradient(x, gradient); });
  for (double& v : values) v = -v;
  write_estimate(s, "score_grid", [&](hdf5::File const& file) { grid.write(file, "score", values, d); });
  return {};
}

Metrics point_energies(Subject const& s, deck::Block const&) {
  auto const values = gather_series(s.samples, [](float const*, double energy) { return energy; });
  write_estimate(s, "energies", [&](hdf5::File const& file) {
    file.create_dataset("energy", hdf5::native_type<double>(), {s.samples.tiling.chains, s.samples.draws}).write(values);
  });
  return {};
}

Metrics observed_data(Subject const& s, deck::Block const& block) {
  auto const& data = *s.data;
  Index const d = data.dimension(), count = std::min(block.as<ObservedOptions>().points, data.size(data::Split::train));
  std::vector<float> values(count * d);
  for (Index i = 0; i < count; i++) data.values(data.item(data::Split::train, i), values.data() + i * d);
  write_estimate(s, "observed_data", [&](hdf5::File const& file) {
    auto const x = file.create_dataset("observed_data/x", hdf5::native_type<float>(), {count, d});
    x.write(values);
    if (data.shape().size() >= 2) x.set_attribute("image_shape", data.shape());
  });
  return {};
}

std::vector<deck::Key> grid_keys() {
  using G = GridOptions;
  return {deck::key("lowest", &G::lowest, "lower ends of the grid: one for all coordinates, or one for each"),
          deck::key("highest", &G::highest, "upper ends of the grid: one for all coordinates, or one for each"),
          deck::key("points", &G::points, "number of grid points along each coordinate").at_least(2)};
}

}  // namespace

std::vector<double> energies(EnergyModel& model, std::vector<double> const& points) {
  return at_points(model, points, 1,
                   [&](ConstTiles x, Tiles energy) { model.energy(x, Kokkos::subview(energy, Kokkos::ALL, 0, Kokkos::ALL)); });
}

EstimatorEntry energies_estimator() {
  return {{"energies", "E(x) of every point, (chain, draw): estimates/energies.h5", {}},
          point_energies,
          LooksAt::samples,
          needs<EnergyModel>()};
}
EstimatorEntry energy_grid_estimator() {
  return {deck::schema<GridOptions>("energy_grid", "E(x) on a grid of one or two dimensions, for pictures: estimates/energy_grid.h5",
                                    grid_keys()),
          energy_grid,
          LooksAt::model_or_data,
          needs<DifferentiableModel>(),
          false,
          has_a_grid,
          [](EstimatorListing const& l) { list_grid(l, 1); }};
}
EstimatorEntry score_grid_estimator() {
  return {deck::schema<GridOptions>("score_grid",
                                    "s(x) = d log p / dx on a grid of one or two dimensions, of models conditioned on noise at the lowest: "
                                    "estimates/score_grid.h5",
                                    grid_keys()),
          score_grid,
          LooksAt::model_or_data,
          needs<ScoreModel>(),
          false,
          has_a_grid,
          [](EstimatorListing const& l) { list_grid(l, l.model->dimension()); }};
}
EstimatorEntry observed_data_estimator() {
  using O = ObservedOptions;
  return {deck::schema<O>("observed_data", "training items, to be drawn beside the samples: estimates/observed_data.h5",
                          {deck::key("points", &O::points, "number of items").at_least(1)}),
          observed_data,
          LooksAt::model_or_data,
          {},
          true,
          {},
          [](EstimatorListing const& l) {
            Index const asked = l.block.as<ObservedOptions>().points, points = l.data ? std::min(asked, l.data->rows) : asked;
            l.arrays.count<float>("items, and the file of them", 2, points, l.dimension());
          }};
}

}  // namespace partita
