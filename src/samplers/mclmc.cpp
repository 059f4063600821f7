#include "samplers/mclmc.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "comm/tile_sums.hpp"
#include "core/copy.hpp"
#include "core/require.hpp"
#include "samplers/advance.hpp"
#include "samplers/clamp.hpp"
#include "samplers/entry.hpp"

namespace partita {
namespace {

Index count_moving(Chains const& chains) {
  auto const held = values_on_host(chains.held);
  Index moving = chains.dimension;
  for (std::size_t i = 0; i < held.extent(0); i++) moving -= held(i) ? 1 : 0;
  return moving;
}

TileStorage make_slopes(Arrays arrays, Tiling const& tiling, TileRange mine, Index dimension) {
  return arrays.make<TileStorage>("gradients of all chains", mine.count, dimension, tiling.pitch());
}

// Chains of the same tiling with dE/dx in place of x.
Chains slopes_of(Model const& model, Chains const& chains) {
  Chains slopes = chains;
  slopes.x = make_slopes({}, chains.tiling, chains.mine, chains.dimension);
  for (Index tile = 0; tile < chains.mine.count; tile++) {
    Index const lanes = chains.tiling.lanes(chains.mine.first + tile);
    score_of(model).gradient(chains.tiles(tile, 1, lanes), slopes.tiles(tile, 1, lanes));
  }
  return slopes;
}

// The initial step where the deck gives none: a quarter of the radius sqrt(d T) of the sphere near which d normals lie.
double first_step(MicrocanonicalLength const& length, double temperature) { return std::sqrt(temperature * double(length.moving())) / 4; }

}  // namespace

deck::Schema mclmc_schema() {
  using O = MclmcOptions;
  return deck::schema<O>(
      "mclmc", "microcanonical Langevin: unit speed, directions turned by the gradient and mixed with noise; no acceptance test",
      {deck::key("step_size", &O::step_size, "length of a step at the start; 0: sqrt(d T) / 4; adapted in the warm-up").at_least(0),
       deck::key(
           "energy_error_variance", &O::energy_error_variance,
           "variance of a step's energy error, divided by d, to which the warm-up adapts the step size; the default makes variances of "
           "a Gaussian some 2 % too small, a 64th of it, with half the step, a quarter of that; 0: the step stays as given")
           .at_least(0)
           .formerly("energy_error"),
       deck::key("decoherence_length", &O::decoherence_length,
                 "length L over which noise changes the direction of motion; 0: from the spread of the chains in the warm-up")
           .at_least(0)
           .formerly("length"),
       deck::key("temperature", &O::temperature, "temperature T: samples exp(-E/T)").above(0),
       deck::key("adapt_mass", &O::adapt_mass,
                 "whether the warm-up also scales each coordinate by the spread of the chains and of their gradients, so that wide "
                 "coordinates take longer steps")});
}

deck::Schema mams_schema() {
  using O = MamsOptions;
  return deck::schema<O>(
      "mams", "microcanonical trajectories of random length, accepted or rejected; exact; a step is one trajectory",
      {deck::key("step_size", &O::step_size, "length of a step of a trajectory at the start; 0: sqrt(d T) / 4; adapted in the warm-up")
           .at_least(0),
       deck::key("trajectory_length", &O::trajectory_length, "mean length of a trajectory; 0: from the spread of the chains in the warm-up")
           .at_least(0)
           .formerly("length"),
       deck::key("temperature", &O::temperature, "temperature T: samples exp(-E/T)").above(0),
       deck::key("target_acceptance", &O::target_acceptance,
                 "acceptance rate to which the warm-up adapts the step size; 0: it stays as given")
           .at_least(0)
           .below(1),
       deck::key("adapt_mass", &O::adapt_mass,
                 "whether the warm-up also scales each coordinate by the spread of the chains and of their gradients, so that wide "
                 "coordinates take longer steps")});
}

void require_directions(Index moving) {
  require_all(
      moving != 1, ExitCode::usage,
      "sampler.type: mclmc and mams rotate a direction, which is impossible with a single moving coordinate; use mala, hmc or barker");
}

void MicrocanonicalLength::prepare(Chains const& chains, double temperature) {
  moving_ = count_moving(chains);
  require_directions(moving_);
  scales_ = equal_scales(chains.dimension);
  places_ = PositionMoments(chains.dimension), slopes_ = PositionMoments(chains.dimension);
  if (tuned_) length_ = std::sqrt(temperature * double(moving_));
}

void MicrocanonicalLength::adapt_to(Model const& model, Chains const& chains, Communicator const& ranks) {
  auto const places = places_.gather(chains, ranks), slopes = slopes_.gather(slopes_of(model, chains), ranks);
  if (!places) return;
  std::vector<double> squares;  // of the scales
  for (std::size_t i = 0; i < places->variances.size(); i++) squares.push_back(std::sqrt(places->variances[i] / slopes->variances[i]));
  auto const scales = scales_of(squares, places->held, places->count, 0);
  if (scales.empty()) return;
  places_.forget(), slopes_.forget();
  double sum = 0;
  for (std::size_t i = 0; i < scales.size(); i++) {
    double const scale = adapt_mass_ ? double(scales[i]) : 1;
    if (!places->held[i]) sum += places->variances[i] / (scale * scale);
  }
  double const n = double(places->count);
  if (tuned_) length_ = share_ * std::sqrt(sum * n / (n - 1));
  if (adapt_mass_) copy_array(scales_, scales);
}

void MicrocanonicalLength::describe_state(State& state) {
  state.add_scalar("sampler/length", length_);
  state.add("sampler/scales", scales_);
  places_.describe_state(state, "sampler/places");
  slopes_.describe_state(state, "sampler/slopes");
}

void MicrocanonicalLength::list(Arrays arrays, Index dimension, Share const& share) {
  equal_scales(dimension, arrays);
  for (int moments = 0; moments < 2; moments++) PositionMoments(dimension, arrays);
  make_slopes(arrays, share.tiling, share.mine(), dimension);
}

Mclmc::Errors Mclmc::make_errors(Arrays arrays, Index tiles, Index pitch) {
  return arrays.make<Errors>("squared energy errors", tiles, pitch);
}

void Mclmc::list(Arrays arrays, Model const& model, Share const& share) const {
  SchemeSampler::list(arrays, model, share);
  MicrocanonicalLength::list(arrays, model.dimension(), share);
  make_errors(arrays, share.mine().count, share.tiling.pitch());
}

void Mclmc::prepare(Model const&, Chains& chains, random::Key key) {
  length_.prepare(chains, temperature_);
  if (step_size_ == 0) step_size_ = first_step(length_, temperature_);
  start_velocities(chains, key, 1);
  mine_ = chains.mine, tiles_ = chains.tiling.tiles();
  squared_errors_ = make_errors({}, chains.mine.count, chains.tiling.pitch());
}

void Mclmc::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  // A direction keeps the share exp(-step / L); at the bound of twenty lengths per step it is entirely new.
  double const forgetting = std::expm1(std::min(2 * step_size_ / length_(), 40.));
  Scheme const scheme{Real(step_size_),
                      Real(1 / temperature_),
                      Real(std::sqrt(forgetting / double(length_.moving()))),
                      length_.scales().data(),
                      squared_errors_.data(),
                      1,
                      key};
  partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
  repeat_last_chain(squared_errors_, chains.tiling, chains.mine, local);
  reached_ = first_step + steps;
}

void Mclmc::adapt_to(Model const& model, Chains const& chains, Communicator const& ranks) {
  adapt_step(chains, ranks);
  length_.adapt_to(model, chains, ranks);
}

// The variance of a step's energy error grows as the sixth power of the step: log step -= k^-1/2 log(variance / wanted) / 6 at the k-th
// call, with a limit on the change per call.
void Mclmc::adapt_step(Chains const& chains, Communicator const& ranks) {
  Index const steps = reached_ - std::exchange(adapted_at_, reached_), pitch = chains.tiling.pitch();
  std::vector<double> sums;
  auto const errors = values_on_host(squared_errors_);
  for (Index tile = 0; tile < mine_.count; tile++) {
    double const* const first = errors.data() + tile * pitch;
    sums.push_back(std::accumulate(first, first + chains.tiling.chains_in(mine_.first + tile), 0.));
  }
  fill_array(squared_errors_, 0.);
  double const all = sum_over_tiles(ranks, mine_, tiles_, sums, 1)[0];
  if (options_.energy_error_variance == 0 || steps == 0) return;
  double const variance = all / double(chains.tiling.chains * steps * length_.moving());
  double const excess = std::log(variance / options_.energy_error_variance) / 6;
  step_size_ *= std::exp(std::clamp(-excess / std::sqrt(double(++adaptations_)), -2., 0.7));
}

void Mclmc::describe_state(State& state) {
  Sampler::describe_state(state);
  length_.describe_state(state);
  state.add_by_tile("sampler/squared_errors", squared_errors_, mine_, tiles_);
  state.add_scalar("sampler/reached", reached_);
  state.add_scalar("sampler/adapted_at", adapted_at_);
  state.add_scalar("sampler/adaptations", adaptations_);
}

void Mams::prepare(Model const&, Chains& chains, random::Key) {
  length_.prepare(chains, temperature_);
  if (step_size_ == 0) step_size_ = first_step(length_, temperature_);
}

// Bounded, so that a step which has become far too small cannot bring a run to a standstill.
Index Mams::substeps() const { return Index(std::clamp(std::round(length_() / step_size_), 1., 1000.)); }

void Mams::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  Scheme const scheme{Real(step_size_), Real(1 / temperature_), 0, length_.scales().data(), nullptr, substeps(), key};
  partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
}

void Mams::list(Arrays arrays, Model const& model, Share const& share) const {
  SchemeSampler::list(arrays, model, share);
  MicrocanonicalLength::list(arrays, model.dimension(), share);
}

void Mams::describe_state(State& state) {
  AdjustedSampler::describe_state(state);
  length_.describe_state(state);
}

namespace {

void has_directions(Fit const& fit) {
  if (!fit.model) return;
  deck::Block const* const clamp = given(fit.deck, "clamp");
  bool const known = clamp && (fit.loaded->files || !given(fit.deck, "data"));
  fit.attempt(
      [&] { require_directions(known ? units_left_free(*fit.model, fit.data(), clamp->as<ClampOptions>()) : fit.model->dimension()); });
}

}  // namespace

SamplerEntry mclmc_sampler() { return sampler_entry<Mclmc, MclmcOptions>(mclmc_schema(), needs<DifferentiableModel>(), has_directions); }
SamplerEntry mams_sampler() { return sampler_entry<Mams, MamsOptions>(mams_schema(), needs<DifferentiableModel>(), has_directions); }

}  // namespace partita
