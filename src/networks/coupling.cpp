#include "networks/coupling.hpp"

#include <algorithm>
#include <numeric>

#include "core/copy.hpp"
#include "core/random.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"
#include "networks/layer_kernels.hpp"

namespace partita {
namespace {

// A half of the coordinates, ascending; odd k: the complement of the one before.
std::vector<Index> half(Index dimension, Index k, Masks masks, std::uint64_t seed) {
  std::vector<Index> order;  // the half, then its complement
  for (Index parity : {0, 1})
    for (Index i = parity; i < dimension; i += 2) order.push_back(i);
  if (masks == Masks::random) {
    auto const key = random::make_key(seed);
    std::sort(order.begin(), order.end());
    for (Index i = dimension - 1; i > 0; i--) {  // Fisher and Yates
      auto const w = random::words(key, std::uint64_t(i), random::Stream::flow_masks, std::uint64_t(k / 2), 0);
      std::swap(order[i], order[random::below(w.w[0], std::uint32_t(i + 1))]);
    }
  }
  auto const middle = order.begin() + divide_up(dimension, 2);
  std::vector<Index> chosen = k % 2 == 0 ? std::vector(order.begin(), middle) : std::vector(middle, order.end());
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::vector<Index> complement(std::vector<Index> const& of, Index dimension) {
  std::vector<Index> all(dimension), rest;
  std::iota(all.begin(), all.end(), Index{0});
  std::set_difference(all.begin(), all.end(), of.begin(), of.end(), std::back_inserter(rest));
  return rest;
}

DeviceVector<Index> on_device(Arrays const& arrays, std::vector<Index> const& values) {
  auto const out = arrays.make<DeviceVector<Index>>("coordinates of a coupling", values.size());
  if (arrays.makes()) copy_array(out, values);
  return out;
}

std::vector<Index> widths(Index in, std::vector<Index> const& hidden, Index out) {
  std::vector<Index> all{in};
  all.insert(all.end(), hidden.begin(), hidden.end());
  all.push_back(out);
  return all;
}

template <class T>
auto part_of(Kokkos::View<T*, Kokkos::LayoutRight, DeviceMemory> const& theta, Index offset, Index count) {
  return Kokkos::subview(theta, std::pair(offset, offset + count));
}

layer::Extent extent_of(Tiles const& t) { return {extent(t, 0), extent(t, 2), 0}; }

// to(., i, .) = from(., rows(i), .)
void gather(Tiles const& from, DeviceVector<Index> const& rows, Tiles const& to) {
  Index const count = extent(rows, 0);
  layer::for_lanes(
      "partita::coupling_gather", extent_of(to), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index i = 0; i < count; i++) {
          Real const* const source = &from(tile, rows(i), first);
          Real* __restrict const target = &to(tile, i, first);
          for (Index l = 0; l < lanes; l++) target[l] = source[l];
        }
      });
}

// to(., rows(i), .) += factor from(., i, .)
void scatter_add(Real factor, Tiles const& from, DeviceVector<Index> const& rows, Tiles const& to) {
  Index const count = extent(rows, 0);
  layer::for_lanes(
      "partita::coupling_scatter", extent_of(from), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index i = 0; i < count; i++) {
          Real const* const source = &from(tile, i, first);
          Real* __restrict const target = &to(tile, rows(i), first);
          for (Index l = 0; l < lanes; l++) target[l] = std::fma(factor, source[l], target[l]);
        }
      });
}

}  // namespace

// Work memory of one tile, in this order: a network's output, the cotangent of its input, then for each coupling the network's input and
// its tape. Tiles are contiguous inside each of these.
struct Couplings::Pass {
  Index tiles, lanes, widest;
  Real* data;

  Pass(Couplings const& c, Tiles const& state, Real* tape)
      : tiles(extent(state, 0)), lanes(extent(state, 2)), widest(divide_up(c.dimension_, 2)), data(tape) {}

  Tiles rows(Real* at, Index count) const {
    auto const n = [](Index i) { return std::size_t(i); };
    Index const pitch = pitch_of(lanes);
    return Tiles(at, Kokkos::LayoutStride(n(tiles), n(count * pitch), n(count), n(pitch), n(lanes), 1));
  }
  Tiles output(Layer const& l) const { return rows(data, extent(l.shifted, 0)); }
  Tiles input_gradient(Layer const& l) const { return rows(data + tiles * widest * pitch_of(lanes), extent(l.kept, 0)); }
  Tiles input(Couplings const& c, Index k) const { return rows(of_layer(c, k), c.network(k).inputs(0)); }
  MlpTape tape(Couplings const& c, Index k) const { return {of_layer(c, k) + tiles * c.network(k).inputs(0) * pitch_of(lanes), 0}; }

 private:
  Real* of_layer(Couplings const& c, Index k) const {
    Index elements = 2 * widest * pitch_of(lanes);
    for (Index j = 0; j < k; j++) elements += c.network(j).inputs(0) * pitch_of(lanes) + c.network(j).tape_elements(lanes, 0);
    return data + tiles * elements;
  }
};

Couplings::Couplings(Index dimension, Index count, std::vector<Index> const& hidden, Activation activation, Masks masks,
                     std::uint64_t mask_seed, Arrays arrays)
    : dimension_(dimension) {
  require_all(dimension >= 2, ExitCode::usage,
              "couplings of {} coordinate (one half of the coordinates shifts the other, so there must be two); use model.latent_dimension "
              "of at least 2",
              dimension);
  for (Index k = 0; k < count; k++) {
    auto const kept = half(dimension, k, masks, mask_seed), shifted = complement(kept, dimension);
    Mlp const network(widths(std::ssize(kept), hidden, std::ssize(shifted)), activation);
    layers_.push_back({on_device(arrays, kept), on_device(arrays, shifted), network, parameter_count_});
    parameter_count_ += network.parameter_count();
  }
}

std::vector<Index> Couplings::kept(Index k) const {
  auto const host = values_on_host(layers_[k].kept);
  return {host.data(), host.data() + host.extent(0)};
}

Index Couplings::tape_elements(Index lanes) const {
  Index elements = 2 * divide_up(dimension_, 2) * pitch_of(lanes);
  for (Layer const& l : layers_) elements += l.network.inputs(0) * pitch_of(lanes) + l.network.tape_elements(lanes, 0);
  return elements;
}

void Couplings::add_shift(Index k, Real sign, ConstVector theta, Tiles state, Pass const& pass) const {
  Layer const& l = layers_[k];
  gather(state, l.kept, pass.input(*this, k));
  l.network.forward(part_of(theta, l.offset, l.network.parameter_count()), pass.input(*this, k), {}, {pass.output(l)}, pass.tape(*this, k));
  scatter_add(sign, pass.output(l), l.shifted, state);
}

void Couplings::forward(ConstVector theta, Tiles state, Real* tape) const {
  Pass const pass(*this, state, tape);
  for (Index k = 0; k < count(); k++) add_shift(k, 1, theta, state, pass);
}

void Couplings::inverse(ConstVector theta, Tiles state, Real* tape) const {
  Pass const pass(*this, state, tape);
  for (Index k = count() - 1; k >= 0; k--) add_shift(k, -1, theta, state, pass);
}

void Couplings::reverse(ConstVector theta, Tiles gradient, Real* tape, Vector sum) const {
  Pass const pass(*this, gradient, tape);
  for (Index k = count() - 1; k >= 0; k--) {
    Layer const& l = layers_[k];
    Index const n = l.network.parameter_count();
    gather(gradient, l.shifted, pass.output(l));
    l.network.reverse(part_of(theta, l.offset, n), pass.input(*this, k), {}, {pass.output(l)}, pass.tape(*this, k),
                      part_of(sum, l.offset, n), pass.input_gradient(l));
    scatter_add(1, pass.input_gradient(l), l.kept, gradient);
  }
}

}  // namespace partita
