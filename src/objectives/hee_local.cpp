#include "objectives/hee_local.hpp"

#include <cmath>
#include <numeric>

#include "core/require.hpp"
#include "models/hee_joint.hpp"
#include "objectives/entry.hpp"
#include "objectives/train_options.hpp"
#include "samplers/chain_options.hpp"
#include "samplers/finite_chains.hpp"

namespace partita {

deck::Schema hee_local_schema() {
  using O = HeeLocalOptions;
  return deck::schema<O>(
      "hee_local",
      "local learning of an hee while inference runs: W += (dt/tau_w) < eps f' >; optimizer sgd with learning_rate 1 is the rule itself",
      {deck::key("tau_w", &O::tau_w, "time constant tau_w of learning").above(0),
       deck::key("steps_per_update", &O::steps_per_update,
                 "number k of steps of the dynamics in each update of the parameters; the error is O(k dt/tau_w)")
           .at_least(1),
       deck::key("steps_per_batch", &O::steps_per_batch, "number of steps for which a batch is shown, a multiple of steps_per_update")
           .at_least(1),
       deck::key("warmup", &O::warmup, "steps without learning after each change of the batch, in which the latent layers settle")
           .at_least(0)
           .formerly("burn_in"),
       deck::key("latent_start", &O::latent_start,
                 "latent layers at a new batch: warm, as the last batch left them, or redrawn from sampler.initial")
           .one_of({"warm", "redrawn"}),
       deck::key("lateral_decay", &O::lateral_decay, "lambda of the decay of the lateral connections S to zero").at_least(0)});
}

void HeeLocal::require_fit(HeeLocalOptions const& o) {
  require_all(
      o.steps_per_batch % o.steps_per_update == 0, ExitCode::usage,
      "objective.steps_per_batch = {} is not a multiple of objective.steps_per_update = {} (a batch is shown for whole updates); use {}",
      o.steps_per_batch, o.steps_per_update, round_up(o.steps_per_batch, o.steps_per_update));
}

HeeLocal::HeeLocal(Hee const& model, HeeLangevinOptions const& dynamics, HeeLocalOptions const& options, data::Batches const& batches,
                   Communicator communicator, Summation summation, random::Key key, Index tile_width, InitialDistribution initial)
    : model_(model),
      dynamics_(dynamics, model),
      options_(options),
      batches_(batches),
      communicator_(communicator),
      key_(key),
      initial_(initial),
      updates_per_batch_(divide_up(options.steps_per_batch, options.steps_per_update)),
      chains_(dynamics_.make_chains({batches.batch(), tile_width},
                                    share_of_tiles(divide_up(batches.batch(), tile_width), communicator.rank(), communicator.ranks()))),
      sums_(communicator, summation, chains_.tiling.tiles(), chains_.mine, parameter_count(model)) {
  require_fit(options);
  dynamics_.initialise(chains_, key, 0, initial, Visible::clamped);
}

void HeeLocal::list(Arrays arrays, HeeLangevin const& dynamics, Share const& share, Summation summation) {
  dynamics.make_chains(share.tiling, share.mine(), arrays);
  dynamics.list_work(arrays, share.mine().count, share.tiling.width, true);
  TileSums::list(arrays, summation, share.tiling.tiles(), share.rank, share.ranks, parameter_count(dynamics.model()));
}

double HeeLocal::chain_steps_per_update() const {
  double const warmup = double(options_.warmup) / double(updates_per_batch_);
  return double(batches_.batch()) * (double(options_.steps_per_update) + warmup);
}

Index HeeLocal::first_step(Index update) const {
  Index const batch = update / updates_per_batch_;
  return batch * (options_.warmup + options_.steps_per_batch) + options_.warmup + update % updates_per_batch_ * options_.steps_per_update;
}

void HeeLocal::show_next_batch(Index update) {
  Index const batch = update / updates_per_batch_;
  batches_.fill(chains_.x[0], chains_.tiling, chains_.mine, batch);
  if (options_.latent_start == "redrawn") dynamics_.initialise(chains_, key_, batch, initial_, Visible::clamped);
  dynamics_.advance(chains_, key_, {0, chains_.mine.count}, first_step(update) - options_.warmup, options_.warmup, Visible::clamped);
}

Vector HeeLocal::gradient(Index update, Timers& timers) {
  if (update % updates_per_batch_ == 0) {
    Timers::Scope const scope(timers, "data and warm-up");
    show_next_batch(update);
  }
  {
    Timers::Scope const scope(timers, "inference and drives");
    sums_.start();
    for (Index tile = 0; tile < chains_.mine.count; tile++)
      dynamics_.advance_and_learn(chains_, key_, tile, first_step(update), options_.steps_per_update,
                                  sums_.partial(chains_.mine.first + tile));
  }
  Timers::Scope const scope(timers, "reduction");
  Vector const gradient = sums_.finish();
  double const rate = dynamics_.options().step_size / options_.tau_w;
  Real const scale = Real(-rate / double(batches_.batch()));
  Real const decay = Real(2 * options_.lateral_decay * rate * double(options_.steps_per_update));
  Index const first_lateral = model_.lateral() ? model_.lateral_offset(0) : extent(gradient, 0);
  auto const theta = model_.parameters();
  Kokkos::parallel_for(
      "partita::hee_gradient", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(gradient, 0)),
      KOKKOS_LAMBDA(Index i) { gradient(i) = scale * gradient(i) + (i >= first_lateral ? decay * theta(i) : Real(0)); });
  model_.keep_learnable(gradient);
  return gradient;
}

std::vector<Series> HeeLocal::series() const {
  return {{"log_joint",
           "mean over the chains of log p(x_0:L) at this update: log p(x_0) less the entropy of the latent layers given x_0; noisy", true}};
}

std::vector<double> HeeLocal::report(Index update) {
  require_finite(update);
  // One number per tile, summed along the tree: the same bits on any number of ranks.
  auto const values = log_joint(model_, chains_.tiling, chains_.mine, chains_.x);
  std::vector<double> sums;
  auto from = values.begin();
  for (Index tile = 0; tile < chains_.mine.count; tile++) {
    auto const to = from + chains_.tiling.chains_in(chains_.mine.first + tile);
    sums.push_back(std::accumulate(from, to, 0.));
    from = to;
  }
  last_log_joint_ = sum_over_tiles(communicator_, chains_.mine, chains_.tiling.tiles(), sums, 1)[0] / double(batches_.batch());
  return {last_log_joint_};
}

void HeeLocal::require_finite(Index update) const {
  require_finite_chains(communicator_, chains_.tiling, chains_.mine, chains_.x, update, -last_log_joint_);
}

namespace {

Tiling hee_local_tiling(deck::Document const& deck) {
  Index const batch = batch_of(deck);
  return {batch, hee_width(deck.at("sampler").as<ChainOptions>().tile_width, batch)};
}

}  // namespace

ObjectiveEntry hee_local_objective() {
  return {{hee_local_schema(),
           [](ObjectiveContext const& c) {
             auto const& sampler_block = c.deck.at("sampler");
             auto const chains = sampler_block.as<ChainOptions>();
             return std::make_unique<HeeLocal>(as<Hee>(c.model), sampler_block.as<HeeLangevinOptions>(),
                                               c.deck.at("objective").as<HeeLocalOptions>(), *c.batches, c.ranks, c.summation, c.key,
                                               hee_local_tiling(c.deck).width, chains.distribution());
           }},
          [](ObjectiveListing const& l) {
            HeeLangevin const dynamics(l.deck.at("sampler").as<HeeLangevinOptions>(), as<Hee const>(l.model));
            Tiling const tiling = hee_local_tiling(l.deck);
            HeeLocal::list(l.arrays, dynamics, l.share(tiling), l.summation);
            return ObjectiveEntry::Laid{tiling};
          },
          needs<Hee>(),
          true,
          true,
          [](Fit const& fit) {
            auto const o = fit.own.as<HeeLocalOptions>();
            auto const train = fit.deck.at("train").as<TrainOptions>();
            fit.attempt([&] { HeeLocal::require_fit(o); });
            fit.attempt([&] { random::check_budget(train.batch, product_or_most(train.updates, o.steps_per_update + o.warmup), 0); });
          }};
}

}  // namespace partita
