#include "estimators/sample_set.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "comm/tile_sums.hpp"
#include "estimators/convergence.hpp"
#include "io/sample_reader.hpp"

namespace partita {

Index SampleSet::first_chain_here() const { return std::min(tiling.first_chain(mine.first), tiling.chains); }
Index SampleSet::chains_here() const {
  Index n = 0;
  for (Index t = mine.first; t < mine.end(); t++) n += tiling.chains_in(t);
  return n;
}

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// A spread no larger than the rounding error of the mean of equal numbers is no spread: the error is then not known.
Estimate with_error(double mean, double error, double degrees_of_freedom) {
  return {mean, error > 1e-13 * std::abs(mean) ? error : nan, degrees_of_freedom};
}

// Error of the mean of one chain's values: their standard deviation over the square root of the effective sample size.
Estimate from_one_chain(double mean, std::vector<double> const& values) {
  double squares = 0;
  for (double v : values) squares += (v - mean) * (v - mean);
  auto const draws = std::ssize(values);
  double const worth = effective_sample_size({1, draws, values});
  return with_error(mean, std::sqrt(squares / double(draws - 1) / worth), std::max(1., worth - 1));
}

// Expectations where there is a single chain, from its values of each function; the same on every rank.
std::vector<Estimate> expectations_of_one_chain(SampleSet const& s, std::vector<double> const& means, Functions const& f,
                                                Communicator::Place at) {
  auto const width = means.size();
  std::vector<double> mine(std::size_t(s.chains_here() * s.draws) * width);
  for (std::size_t d = 0; d * width < mine.size(); d++) f(s.point(0, Index(d)), s.energy_of(0, Index(d)), mine.data() + d * width);
  auto const all = s.ranks.all_gather(mine, at);
  std::vector<Estimate> out;
  for (std::size_t k = 0; k < width; k++) {
    std::vector<double> values;
    for (std::size_t n = k; n < all.size(); n += width) values.push_back(all[n]);
    out.push_back(from_one_chain(means[k], values));
  }
  return out;
}

}  // namespace

Estimate mean_and_error(std::vector<double> const& values) {
  auto const n = double(values.size());
  double mean = 0, squares = 0;
  for (double v : values) mean += v / n;
  for (double v : values) squares += (v - mean) * (v - mean);
  return {mean, std::sqrt(squares / (n - 1) / n), n - 1};
}

Estimate share_and_error(double happened, double n) {
  double const p = (happened + 2) / (n + 4);
  return {happened / n, std::sqrt(p * (1 - p) / (n + 4))};
}

Estimate quotient(Estimate const& a, Estimate const& b) {
  double const value = a.value / b.value;
  return {value, std::hypot(a.error, value * b.error) / std::abs(b.value), a.degrees_of_freedom};
}

std::vector<Estimate> expectations(SampleSet const& s, Index n, Functions const& f, Communicator::Place at) {
  auto const width = std::size_t(n);
  Index const here = s.chains_here();
  std::vector<double> chain_means(std::size_t(here) * width), values(width), first(width);
  std::vector<Index> moves(width, s.draws == 1);  // whether a function varies in any chain; single draws are independent
  for (Index c = 0; c < here; c++)
    for (Index d = 0; d < s.draws; d++) {
      f(s.point(c, d), s.energy_of(c, d), values.data());
      if (d == 0) first = values;
      for (std::size_t k = 0; k < width; k++) {
        chain_means[std::size_t(c) * width + k] += values[k];
        if (values[k] != first[k]) moves[k] = 1;
      }
    }
  s.ranks.all_reduce(moves, Reduction::maximum, at);
  for (double& m : chain_means) m /= double(s.draws);
  // Sums over the chains of a tile, of the chains' averages or of their squared distances from `centre`.
  auto const total = [&](std::vector<double> const& centre) {
    std::vector<double> per_tile(std::size_t(s.mine.count) * width);
    for (Index t = 0; t < s.mine.count; t++)
      for (Index l = 0; l < s.tiling.chains_in(s.mine.first + t); l++)
        for (std::size_t k = 0; k < width; k++) {
          double const a = chain_means[std::size_t(t * s.tiling.width + l) * width + k];
          per_tile[std::size_t(t) * width + k] += centre.empty() ? a : (a - centre[k]) * (a - centre[k]);
        }
    return sum_over_tiles(s.ranks, s.mine, s.tiling.tiles(), per_tile, n, at);
  };
  double const chains = double(s.tiling.chains);
  std::vector<double> means = total({});
  for (double& m : means) m /= chains;
  if (s.tiling.chains == 1) return expectations_of_one_chain(s, means, f, at);
  std::vector<double> const squares = total(means);
  std::vector<Estimate> out;
  for (std::size_t k = 0; k < width; k++)
    out.push_back(with_error(means[k], moves[k] ? std::sqrt(squares[k] / (chains - 1) / chains) : nan, chains - 1));
  return out;
}

std::vector<double> gather_points(SampleSet const& s, Index count, Communicator::Place at) {
  std::vector<double> points;
  for (Index draw = s.draws - 1; draw >= 0 && std::ssize(points) < count * s.dimension; draw--) {
    std::vector<double> mine;
    for (Index c = 0; c < s.chains_here(); c++) mine.insert(mine.end(), s.point(c, draw), s.point(c, draw) + s.dimension);
    auto const all = s.ranks.all_gather(mine, at);
    points.insert(points.end(), all.begin(), all.end());
  }
  points.resize(std::min(points.size(), std::size_t(count * s.dimension)));
  return points;
}

std::vector<double> gather_series(SampleSet const& s, std::function<double(float const*, double)> const& f, Communicator::Place at) {
  std::vector<double> mine;
  for (Index c = 0; c < s.chains_here(); c++)
    for (Index d = 0; d < s.draws; d++) mine.push_back(f(s.point(c, d), s.energy_of(c, d)));
  return s.ranks.all_gather(mine, at);
}

SampleSet read_samples(Communicator const& ranks, SampleReader const& reader, Tiling const& tiling, Index draws) {
  SampleSet s{ranks, tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()), reader.draws(), reader.dimension(), {}, {}};
  Index const first = s.first_chain_here(), count = s.chains_here();
  s.x = reader.read<float>(first, count);
  s.has_energy = reader.has_statistic("energy");
  if (s.has_energy) s.energy = reader.read_statistic("energy", first, count);
  if (draws == 0 || draws >= s.draws) return s;
  SampleSet last{ranks, tiling, s.mine, draws, s.dimension, {}, {}, s.has_energy};
  for (Index c = 0; c < count; c++) {
    last.x.insert(last.x.end(), s.point(c, s.draws - draws), s.point(c, s.draws - 1) + s.dimension);
    for (Index d = s.draws - draws; d < s.draws && s.has_energy; d++) last.energy.push_back(s.energy_of(c, d));
  }
  return last;
}

}  // namespace partita
