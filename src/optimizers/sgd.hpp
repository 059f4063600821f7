// Stochastic gradient descent with momentum (Polyak 1964): velocity <- momentum * velocity + gradient; theta <- theta - rate * velocity.
#pragma once
#include "optimizers/optimizer.hpp"

namespace partita {

struct SgdOptions {
  double momentum = 0;
};
deck::Schema sgd_schema();

class Sgd : public Optimizer {
 public:
  Sgd(SgdOptions const& o, Index parameters) : options_(o), velocity_("sgd velocity", parameters) {}
  void update(Vector parameters, ConstVector gradient, double rate) override;
  void describe_state(State& state) override { state.add("optimizer/velocity", velocity_); }

 private:
  SgdOptions options_;
  Vector velocity_;
};

}  // namespace partita
