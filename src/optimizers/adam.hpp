// Adam (Kingma and Ba, ICLR 2015), with optional decoupled weight decay (Loshchilov and Hutter, ICLR 2019).
#pragma once
#include "optimizers/optimizer.hpp"

namespace partita {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};
deck::Schema adam_schema();

class Adam : public Optimizer {
 public:
  Adam(AdamOptions const& o, Index parameters, Arrays arrays = {})
      : options_(o), mean_(arrays.make<Vector>("adam mean", parameters)), square_(arrays.make<Vector>("adam square", parameters)) {}
  void update(Vector parameters, ConstVector gradient, double rate) override;
  void describe_state(State&) override;

 private:
  AdamOptions options_;
  Vector mean_, square_;
  Index updates_ = 0;
};

}  // namespace partita
