// Machines of a few units with strong couplings, and sums over all their states in double.
#pragma once
#include <cmath>
#include <vector>

#include "comm/communicator.hpp"
#include "models/boltzmann_machine.hpp"
#include "models/host_values.hpp"
#include "models/rbm.hpp"

namespace partita::small {

inline random::Key const key = random::make_key(77);

inline double normal(Index i, std::uint64_t which = 0) {
  auto const w = random::words(key, std::uint64_t(i), random::Stream::test, which, 0);
  return random::normal_pair(w.w[0], w.w[1], double()).a;
}
inline void randomise(Model& model, double scale) {
  std::vector<double> theta(model.parameters().extent(0));
  for (std::size_t i = 0; i < theta.size(); i++) theta[i] = scale * normal(Index(i));
  assign(model.parameters(), theta);
  model.parameters_changed();
}
inline Rbm rbm(Index visible, Index hidden, double scale) {
  Rbm model({.visible = visible, .hidden = hidden});
  randomise(model, scale);
  return model;
}
inline BoltzmannMachine machine(Index visible, Index hidden, double scale) {
  BoltzmannMachine model(BoltzmannMachineOptions{.visible = visible, .hidden = hidden});
  randomise(model, scale);
  return model;
}
inline UnitMoments moments_of_data(Index units) {
  UnitMoments m{{}, {}, 100};
  for (Index i = 0; i < units; i++) m.mean.push_back(0.1 + 0.8 * double(i % 5) / 4), m.variance.push_back(1);
  return m;
}

inline double unit(Index state, Index i) { return double(state >> i & 1); }

// -E(v, h), unit i of a layer being bit i of its state.
inline double minus_energy(Rbm const& model, Index v, Index h) {
  auto const w = to_host(model.weight()), a = to_host(model.visible_bias()), b = to_host(model.hidden_bias());
  double e = 0;
  for (Index i = 0; i < model.dimension(); i++) {
    e += a[i] * unit(v, i);
    for (Index j = 0; j < model.hidden(); j++) e += w[i * model.hidden() + j] * unit(v, i) * unit(h, j);
  }
  for (Index j = 0; j < model.hidden(); j++) e += b[j] * unit(h, j);
  return e;
}
// The machine's parameters are all couplings: R above the diagonal, W, S above the diagonal, then the biases.
inline double minus_energy(BoltzmannMachine const& model, Index v, Index h) {
  Index const d = model.visible_dimension(), units = model.dimension();
  auto const theta = to_host(model.parameters());
  auto const x = [&](Index i) { return i < d ? unit(v, i) : unit(h, i - d); };
  std::size_t next = 0;
  double e = 0;
  for (Index i = 0; i < d; i++)
    for (Index j = i + 1; j < d; j++) e += theta[next++] * x(i) * x(j);
  for (Index i = 0; i < d; i++)
    for (Index j = d; j < units; j++) e += theta[next++] * x(i) * x(j);
  for (Index i = d; i < units; i++)
    for (Index j = i + 1; j < units; j++) e += theta[next++] * x(i) * x(j);
  for (Index i = 0; i < units; i++) e += theta[next++] * x(i);
  return e;
}
inline Index hidden_units(Rbm const& m) { return m.hidden(); }
inline Index hidden_units(BoltzmannMachine const& m) { return m.dimension() - m.visible_dimension(); }

// sum_h exp(-E(v, h)) of every v, by brute force.
template <class M>
std::vector<double> visible_weights(M const& model) {
  std::vector<double> sum(std::size_t{1} << model.visible_dimension());
  for (std::size_t v = 0; v < sum.size(); v++)
    for (Index h = 0; h < Index{1} << hidden_units(model); h++) sum[v] += std::exp(minus_energy(model, Index(v), h));
  return sum;
}
template <class M>
double log_z(M const& model) {
  double z = 0;
  for (double w : visible_weights(model)) z += w;
  return std::log(z);
}

// Sums of Reals: relative error of energies of a few tens.
constexpr double rounding = sizeof(Real) == 8 ? 1e-12 : 2e-5;

}  // namespace partita::small
