// Stochastic gradient descent with momentum (Polyak 1964): velocity <- momentum * velocity + gradient; theta <- theta - rate * velocity.
#pragma once
#include "optimizers/optimizer.hpp"

namespace partita {

struct SgdOptions {
  double momentum = 0;
  double initial_momentum = 0;
  Index initial_updates = 0;
};
deck::Schema sgd_schema();

class Sgd : public Optimizer {
 public:
  Sgd(SgdOptions const& o, Index parameters, Arrays arrays = {})
      : options_(o), velocity_(arrays.make<Vector>("sgd velocity", parameters)) {}
  void update(Vector parameters, ConstVector gradient, double rate) override;
  void describe_state(State& state) override {
    state.add("optimizer/velocity", velocity_);
    state.add_scalar("optimizer/updates", updates_);
  }

 private:
  SgdOptions options_;
  Vector velocity_;
  Index updates_ = 0;
};

}  // namespace partita
