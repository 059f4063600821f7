// The dynamics of an HEE: Langevin dynamics of the latent layers given the data, in which fast neurons u_l, samples of p(. | eta_l), stand
// in for A'(eta_l). One Euler step, all right-hand sides at time t (N, N', N'' independent standard normals):
//
//     eta_l = W_l f(x_l+1) + b_l (l < L), eta_L = b_L;   eps_l = phi(x_l) - mean over replicas of phi(u_l)      l = 0 .. L-1
//     F_l   = phi'(x_l) o eta_l + g'(x_l) + f'(x_l) o (W_l-1' eps_l-1)                                         l = 1 .. L
//     first order:   x_l += (dt/tau_l) F_l + sqrt(2 dt/tau_l) N
//     second order:  x_l += (dt/tau_l)(F_l - v_l) + sqrt(2 dt/tau_l) N,   v_l += (dt/tau_v)(-v_l - m F_l) + (1/tau_v) sqrt(2 m tau_l dt) N'
//     fast neurons:  u_l += (dt/tau_u)(phi'(u_l) o eta_l + g'(u_l)) + sqrt(2 dt/tau_u) N''
//
// with tau_v in units of tau_l in the deck. In the limit dt -> 0 second order has the stationary law p(z | x_0) N(v; 0, (m tau_l/tau_v) I).
#pragma once
#include "comm/communicator.hpp"
#include "models/hee.hpp"
#include "samplers/chains.hpp"

namespace partita {

struct HeeLangevinOptions {
  double step_size = 0.01;        // dt
  std::vector<double> tau = {1};  // tau_1 .. tau_L: one for all, first and last of equally spaced ones, or a list
  double tau_0 = 1;               // of x_0 where it is free
  std::string order = "second";   // first, second
  double tau_v = 0.5;             // in units of tau_l
  double m = 0.5;                 // "adaptation" in decks
  double tau_u = 0.1;
  Index replicas = 1;                          // K fast neurons per unit, averaged
  std::string statistic_mean = "interneuron";  // interneuron, closed_form, fresh
  std::string integrator = "euler";            // euler, leimkuhler_matthews
  std::string drift = "automatic";             // plain, tamed F/(1 + dt |F|/tau); automatic: tamed where g is quartic
};
deck::Schema hee_langevin_schema();
// Lanes of a tile where the deck gives no width.
constexpr Index hee_tile_width = 256;
// Lanes of a tile of an hee: `asked`, or for 0 a default.
Index hee_width(Index asked, Index chains);
// tau_1 .. tau_L from one number, two ends or L numbers; Failure(usage) for another count.
std::vector<double> relaxation_times(std::vector<double> const& tau, Index layers);

// How x_0 moves: it is clamped to data; it moves with its chain (joint distribution); or neighbouring chains share it, and it moves by the
// mean of their eta_0 (marginal distribution).
enum class Visible { clamped, free, shared };

// Chains of all layers on this rank, tiles as in Chains.
struct HeeChains {
  Tiling tiling;
  TileRange mine;
  std::vector<TileStorage> x;  // [l], l = 0 .. L: (tile, n_l, pitch)
  std::vector<TileStorage> v;  // [l-1], l = 1 .. L, of second order; else empty
  std::vector<TileStorage> u;  // [l], fast neurons of layers 0 .. L-1 (to L where A' has no closed form): (tile, K n_l, pitch), replica
                               // by replica; only for statistic_mean = interneuron
  void repeat_last_chain(TileRange local) const;  // see chains.hpp; for all arrays
  void describe_state(State&, std::string const& group) const;
};

// Normals are keyed by chain, stream (hee_units N, hee_adaptation N', hee_fast_neurons N''), step and draw: the groups of four units of
// layer 0, then those of layer 1, ...; each further replica has another such range. So a chain's bits depend only on its number and its
// tile's lanes, not on how steps are divided into calls. leimkuhler_matthews averages N_n and N_n+1, of x and u.
class HeeLangevin {
 public:
  // Failure(usage) for options that cannot be combined: second order with leimkuhler_matthews; closed_form or fresh where A' has no closed
  // form; dt >= tau_u. The model must outlive the sampler.
  HeeLangevin(HeeLangevinOptions const&, Hee const&);

  HeeChains make_chains(Tiling const&, TileRange mine, Arrays = {}) const;
  // Initialises latent layers, fast neurons (from N(0, 1/2)) and v (from its stationary law), keyed by chain number and `step`; x_0 as well
  // unless it is clamped; Visible::shared: one x_0 for each `group` of neighbouring chains.
  void initialise(HeeChains const&, random::Key, Index step, InitialDistribution const&, Visible, Index group = 1) const;

  // Advances local tiles [range) by steps numbered from first_step. Visible::shared: `group` neighbouring chains, a divisor of
  // lane_quantum, hold the same x_0.
  void advance(HeeChains const&, random::Key, TileRange local, Index first_step, Index steps, Visible, Index group = 1);
  // The same with clamped x_0 for one local tile at fixed parameters. Adds to `drive`, of the length of the parameters, the sum over
  // steps and the tile's real chains of
  //     dW_l = eps_l f(x_l+1)',  db_l = eps_l,  db_L = phi(x_L) - A'(b_L),  dS_l = 2 [(S u)u' - (S x)x'] (mean over replicas):
  // per chain and step an estimate of d log p(x_0) / d theta.
  void advance_and_learn(HeeChains const&, random::Key, Index local_tile, Index first_step, Index steps, Vector drive);

  Hee const& model() const { return model_; }
  HeeLangevinOptions const& options() const { return options_; }
  // Lists the work memory for so many tiles of a rank, of so many lanes, also where they are learnt from.
  void list_work(Arrays, Index tiles, Index lanes, bool learning) const;
  double flops_per_step(bool learning) const;  // of the matrix products, per chain
  double normals_per_step(Visible) const;      // per chain

 private:
  Hee const& model_;
  HeeLangevinOptions options_;
  std::vector<double> tau_;
  Vector work_;  // kept between calls
};

}  // namespace partita
