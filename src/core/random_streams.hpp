// Every stream id of the counter generator, in one place: two uses of randomness never share one.
#pragma once
#include <cstdint>

namespace partita::random {

enum class Stream : std::uint16_t {
  langevin_noise = 1,       // chain, step, draw = group of four dimensions
  momentum = 2,             // underdamped and HMC velocities at start or refreshment
  metropolis = 3,           // acceptance uniforms
  initial_state = 4,        // where a chain starts
  restart_choice = 5,       // which replay chains start again: step = update
  restart_state = 6,        // and where
  replay_choice = 7,        // which generation of the replay buffer an update advances
  parameters = 8,           // initial parameters: chain = parameter block, draw = group of four entries
  data_noise = 9,           // Gaussian noise on minibatch items: chain = item of the batch, step = update
  epoch_permutation = 10,   // step = epoch
  data_split = 11,          // train / validation / test
  binarization = 12,        // chain = item, step = epoch
  generated_data = 13,      // chain = item of a generated set, step = which independent set
  projections = 14,         // sliced distances: chain = projection
  subsample = 15,           // points chosen by an estimator
  hee_units = 16,           // Langevin noise of the layers of an HEE: chain, step, draw = group of four units of all layers
  hee_adaptation = 17,      // and of their adaptation v
  hee_fast_neurons = 18,    // fast neurons, replica by replica, or fresh draws in their place
  hee_initial_state = 19,   // where x, v and u of an HEE start
  hee_weights = 20,         // initial W_l of an HEE: chain = group of four entries, step = l
  hee_connections = 21,     // and which of its connections exist: chain = group of four entries, step = 2 l for W_l, 2 l + 1 for S_l
  hee_ancestral = 22,       // its ancestral samples: draws of the layers one after the other, from the top
  hee_annealing = 23,       // keys of the chains of annealed importance sampling: chain = 0 the pilot, 1 the estimate
  hee_reconstruction = 24,  // key of the chains of reconstructions
  hee_relaxation = 25,      // keys of the chains whose relaxation is measured: chain = which dynamics
  gibbs_units = 26,         // Gibbs sweeps: chain, step, draw = group of four units, visible ones first
  gibbs_start = 27,         // units of chains that start anew, likewise
  swaps = 28,               // acceptance of exchanges between rungs: chain, step, draw = lower rung
  tempering = 29,           // keys of the rungs of tempered chains: chain = rung
  annealing = 30,           // keys of the chains of annealed importance sampling of units: chain = which of them
  hidden_start = 31,        // hidden units of a machine when the positive phase starts: chain = item of the batch, step = update
  recall_noise = 32,        // flipped units, or noise, of the patterns that a Hopfield network is shown: chain = pattern
  belief_layers = 33,       // keys of the draws of a belief network's layers: chain = machine
  trajectory_length = 34,   // leapfrog steps of an HMC trajectory, the same for all chains: step
  barker_signs = 35,        // which way the coordinates of a proposal of barker go: chain, step, draw = group of four dimensions
  flow_masks = 40,          // random halves of a flow's couplings: chain = entry, step = pair of couplings; keyed by the model's mask seed
  flow_latents = 41,      // z of a flow: chain, step = update or proposal, draw = group of four coordinates; and keys of other sets of them
  denoising_noise = 42,   // z of denoising score matching: chain = item of the batch, step = update
  noise_level = 43,       // and which of the model's noise levels an item has
  score_directions = 44,  // v of sliced score matching: chain = item of the batch, step = update and projection
  rating_split = 45,      // which ratings are held out: chain = place in the permutation
  test = 1000             // unit tests
};

}  // namespace partita::random
