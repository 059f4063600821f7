// The reference model R2 of docs/theory/hee.md, widths (3, 2, 2), and random variants of it.
#pragma once
#include "core/copy.hpp"
#include "estimators/hee_likelihood.hpp"

namespace partita {

inline Matrix matrix(Index rows, Index columns, std::vector<double> values) {
  Matrix m(rows, columns);
  m.values = std::move(values);
  return m;
}

inline double standard_normal(int which) {
  auto const w = random::words({5, 6}, std::uint64_t(which), random::Stream::test, 0, 0);
  return random::normal_pair(w.w[0], w.w[1], double()).a;
}

inline std::vector<Hee::Layer> reference_layers() {
  return {{matrix(3, 2, {1, -.5, .3, .8, -.7, .4}), {.2, -.1, .4}, identity(3)},
          {matrix(2, 2, {.9, .2, -.4, .6}), {.3, -.2}, identity(2)},
          {Matrix(), {-.1, .5}, identity(2)}};
}

// R2 with lateral connections Q = S'S + 0.1 I of random S.
inline std::vector<Hee::Layer> lateral_layers() {
  auto layers = reference_layers();
  int drawn = 0;
  for (auto& layer : layers) {
    Matrix s = identity(layer.coupling.rows);
    for (double& v : s.values) v += 0.4 * standard_normal(drawn++);
    layer.coupling = transpose(s) * s + 0.1 * identity(s.rows);
  }
  return layers;
}

inline std::vector<double> const reference_x0 = {.7, -.3, .5};

inline void set_parameters(Hee& model, std::vector<double> const& values) {
  auto const host = Kokkos::create_mirror_view(model.parameters());
  for (std::size_t i = 0; i < values.size(); i++) host(i) = Real(values[i]);
  copy_array(model.parameters(), host);
  model.parameters_changed();
}

inline Hee reference_model() {
  Hee model({.widths = {3, 2, 2}}, {});
  set_parameters(model, {1, -.5, .3, .8, -.7, .4, .2, -.1, .4, .9, .2, -.4, .6, .3, -.2, -.1, .5});
  return model;
}

}  // namespace partita
