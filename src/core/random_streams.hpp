// Every stream id of the counter generator, in one place: two uses of randomness never share one.
#pragma once
#include <cstdint>

namespace partita::random {

enum class Stream : std::uint16_t {
  langevin_noise = 1,     // chain, step, draw = group of four dimensions
  momentum = 2,           // underdamped and HMC velocities at start or refreshment
  metropolis = 3,         // acceptance uniforms
  initial_state = 4,      // where a chain starts
  restart_choice = 5,     // which replay chains start again: step = update
  restart_state = 6,      // and where
  replay_choice = 7,      // which generation of the replay buffer an update advances
  parameters = 8,         // initial parameters: chain = parameter block, draw = group of four entries
  data_noise = 9,         // Gaussian noise on minibatch items: chain = item of the batch, step = update
  epoch_permutation = 10, // step = epoch
  data_split = 11,        // train / validation / test
  binarization = 12,      // chain = item, step = epoch
  generated_data = 13,    // chain = item of a generated set, step = which independent set
  projections = 14,       // sliced distances: chain = projection
  subsample = 15,         // points chosen by an estimator
  test = 1000             // unit tests
};

}  // namespace partita::random
