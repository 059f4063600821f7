#include "models/deep_belief_network.hpp"

#include <algorithm>

#include "core/require.hpp"

namespace partita {

deck::Schema dbn_schema() {
  using O = DbnOptions;
  return deck::schema<O>(
      "deep_belief_network", "stack of restricted Boltzmann machines, of which the top one is the prior of those below",
      {deck::key("layers", &O::layers, "units of each layer, the visible one first").required().at_least(1),
       deck::key("initial_scale", &O::initial_scale, "standard deviation of the random weights at the start").at_least(0).of_learning()});
}

Sizes DeepBeliefNetwork::sizes(DbnOptions const& o) {
  require_all(o.layers.size() >= 3, ExitCode::usage,
              "model.layers has {} layers, but a belief network stacks at least two machines; give three layers or more, or use model.type "
              "= \"rbm\"",
              o.layers.size());
  return {o.layers.front(), o.layers.front()};
}

namespace {
std::string name_of(Index machine) { return fmt::format("machine{}", machine); }
}  // namespace

DeepBeliefNetwork::DeepBeliefNetwork(DbnOptions const& o, Arrays arrays) {
  sizes(o);
  Index count = 0;
  for (std::size_t k = 0; k + 1 < o.layers.size(); k++) {
    first_.push_back(count);
    count += Rbm::parameter_count(o.layers[k], o.layers[k + 1]);
  }
  parameters_ = arrays.make<Vector>("belief network parameters", count);
  for (std::size_t k = 0; k + 1 < o.layers.size(); k++) {
    Index const n = Rbm::parameter_count(o.layers[k], o.layers[k + 1]);
    machines_.push_back(
        std::make_unique<Rbm>(RbmOptions{.visible = o.layers[k], .hidden = o.layers[k + 1], .initial_scale = o.initial_scale},
                              arrays.makes() ? Vector(Kokkos::subview(parameters_, std::pair(first_[k], first_[k] + n))) : Vector(),
                              arrays.in(name_of(Index(k)))));
  }
}

void DeepBeliefNetwork::initialise(std::function<double(Index)> const& normal) {
  for (Index k = 0; k < machines(); k++) machine(k).initialise([&](Index i) { return normal(first_parameter(k) + i); });
}

std::vector<ParameterBlock> DeepBeliefNetwork::parameter_blocks() const {
  std::vector<ParameterBlock> out;
  for (Index k = 0; k < machines(); k++)
    for (ParameterBlock b : machine(k).parameter_blocks()) {
      b.name = name_of(k) + "/" + b.name;
      b.offset += first_parameter(k);
      out.push_back(std::move(b));
    }
  return out;
}

void DeepBeliefNetwork::parameters_changed() {
  for (auto const& m : machines_) m->parameters_changed();
}

void DeepBeliefNetwork::work(Arrays arrays, Index tiles, Index lanes) const {
  for (Index k = 0; k < machines(); k++) machine(k).work(arrays.in(name_of(k)), tiles, lanes);
}

Sweep DeepBeliefNetwork::of_machine(Sweep sweep, Index k) const {
  sweep.key = random::derived_key(sweep.key, random::Stream::belief_layers, std::uint64_t(k));
  sweep.beta = 1;
  return sweep;
}

void DeepBeliefNetwork::draw_upwards(ConstTiles visible, std::vector<Tiles> const& layers, Sweep const& sweep) const {
  ConstTiles below = visible;
  for (std::size_t k = 0; k < layers.size(); k++) {
    machine(Index(k)).draw_hidden(below, layers[k], of_machine(sweep, Index(k)));
    below = layers[k];
  }
}

void DeepBeliefNetwork::draw_below(Index layer, ConstTiles above, Tiles to, Sweep const& sweep) const {
  machine(layer).draw_visible(above, to, of_machine(sweep, layer));
}

}  // namespace partita
