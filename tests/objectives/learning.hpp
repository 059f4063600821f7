// What tests of contrastive divergence on machines share: data, an objective on them, and means over sets of points.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/copy.hpp"
#include "models/host_values.hpp"
#include "objectives/contrastive_divergence.hpp"

namespace partita::test {

using Values = std::vector<double>;
constexpr bool in_double = sizeof(Real) == 8;
inline random::Key const learning_key{51, 52};

inline double normal(std::uint64_t which, Index i) {
  auto const w = random::words(learning_key, std::uint64_t(i), random::Stream::test, which, 0);
  return random::normal_pair(w.w[0], w.w[1], double()).a;
}
inline Values normals(std::uint64_t which, std::size_t count, double scale) {
  Values out;
  for (std::size_t i = 0; i < count; i++) out.push_back(scale * normal(which, Index(i)));
  return out;
}

inline data::Dataset items_of(Index items, Index dimension, std::function<double(Index item, Index entry)> const& value) {
  std::vector<float> values;
  for (Index k = 0; k < items; k++)
    for (Index i = 0; i < dimension; i++) values.push_back(float(value(k, i)));
  return {{{"test", items, {dimension}, values}, 0, {}}, {}, learning_key};
}
inline double random_bit(Index item, Index entry) { return normal(7, 1000 * item + entry) > 0.3 ? 1 : 0; }

inline void set_parameters(Model& m, Values const& theta) {
  assign(m.parameters(), theta);
  m.parameters_changed();
}

// Chains of all ranks, (chain, dimension).
inline Values points_of(Chains const& c) {
  auto const x = values_on_host(c.x);
  Values mine;
  for (Index t = 0; t < c.mine.count; t++)
    for (Index l = 0; l < c.tiling.chains_in(c.mine.first + t); l++)
      for (Index i = 0; i < c.dimension; i++) mine.push_back(x(t, i, l));
  return Communicator::world().all_gather(mine);
}

struct LearningOptions {
  Index batch = 40;
  ChainStart start = ChainStart::at_data;
  ContrastiveOptions contrastive = {.sampler_steps = 2};
  PersistentOptions persistent = {};
};

struct ContrastiveLearning {
  data::Dataset set;
  data::Batches batches;
  TrainableEnergy& model;
  ContrastiveDivergence objective;
  Timers timers;
  // `persistent.chains` of all generations are advanced in each update.
  ContrastiveLearning(TrainableEnergy& m, Sampler& sampler, data::Dataset const& data, LearningOptions o = {})
      : set(data),
        batches(set, o.batch, learning_key),
        model(m),
        objective(
            m, sampler, batches, Communicator::world(), Summation::reproducible, learning_key, 16, o.start, o.contrastive,
            {.chains = o.persistent.chains, .chains_per_update = o.persistent.chains, .restart_fraction = o.persistent.restart_fraction},
            {}) {}
  Values gradient(Index update) { return to_host(objective.gradient(update, timers)); }
  Values data(Index update) const {  // (item, visible dimension)
    Index const d = set.dimension();
    Values out(batches.batch() * d);
    for (Index j = 0; j < batches.batch(); j++) set.values(batches.item(update, j), out.data() + j * d);
    return out;
  }
  Values chains() const {
    Values all;
    for (Chains const& c : objective.chains()) {
      Values const these = points_of(c);
      all.insert(all.end(), these.begin(), these.end());
    }
    return all;
  }
};

}  // namespace partita::test
