// What can be done with a model, computed from its class: the interfaces that it implements. Samplers, objectives, generators and
// estimators name those that they need, and here alone a Model is turned into one of them.
#pragma once
#include <bitset>
#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

#include "core/require.hpp"
#include "models/boltzmann_machine.hpp"
#include "models/deep_belief_network.hpp"
#include "models/gaussian_mrf.hpp"
#include "models/gaussian_rbm.hpp"
#include "models/hee.hpp"
#include "models/mlp_model.hpp"
#include "models/modern_hopfield.hpp"
#include "models/nice.hpp"
#include "models/softmax_rbm.hpp"

namespace partita {

using Interfaces = std::tuple<EnergyModel, DifferentiableModel, ScoreModel, MlpModel, TrainableEnergy, TrainableScore, GibbsModel,
                              TrainableGibbsModel, BoltzmannMachine, Rbm, GaussianRbm, SoftmaxRbm, GaussianMrf, DeepBeliefNetwork,
                              AssociativeMemory, ModernHopfield, Hee, Nice>;

// A set of interfaces.
class Capabilities {
 public:
  Capabilities() = default;
  // Those that a class implements.
  template <class Class>
  static Capabilities of() {
    return select<Class>([]<class Interface>() { return std::derived_from<Class, Interface>; });
  }
  // The set of exactly these interfaces.
  template <class... Wanted>
  static Capabilities only() {
    static_assert((Capabilities::listed<Wanted>() && ...), "an interface that the list of Interfaces leaves out");
    return select<void>([]<class Interface>() { return (std::same_as<Wanted, Interface> || ...); });
  }
  template <class Interface>
  bool has() const {
    return meets(only<Interface>());
  }
  bool meets(Capabilities const& any) const { return (bits_ & any.bits_).any(); }
  bool empty() const { return bits_.none(); }

 private:
  static constexpr std::size_t count = std::tuple_size_v<Interfaces>;
  template <class Interface>
  static constexpr bool listed() {
    return []<class... All>(std::type_identity<std::tuple<All...>>) {
      return (std::same_as<Interface, All> || ...);
    }(std::type_identity<Interfaces>());
  }
  template <class, class Test>
  static Capabilities select(Test const& test) {
    Capabilities out;
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      (out.bits_.set(k, test.template operator()<std::tuple_element_t<k, Interfaces>>()), ...);
    }
    (std::make_index_sequence<count>());
    return out;
  }
  std::bitset<count> bits_;
};

// The model as this interface; null where it does not implement it.
template <class Interface>
Interface* if_can(Model* model) {
  return dynamic_cast<Interface*>(model);
}
template <class Interface>
Interface const* if_can(Model const* model) {
  return dynamic_cast<Interface const*>(model);
}
// The same where the deck's check has ensured that the model implements it.
template <class Interface, class M>
auto& as(M& model) {
  auto* const found = if_can<Interface>(&model);
  require_all(found != nullptr, ExitCode::internal,
              "a model does not implement the interface that is needed, which the check of the deck should have found");
  return *found;
}

}  // namespace partita
