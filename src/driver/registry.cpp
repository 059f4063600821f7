#include "driver/registry.hpp"

#include "core/require.hpp"
#include "data/load.hpp"
#include "driver/clamp.hpp"
#include "driver/estimator.hpp"
#include "driver/settings.hpp"
#include "driver/units.hpp"
#include "driver/warm_start.hpp"
#include "energies/banana.hpp"
#include "energies/double_well.hpp"
#include "energies/funnel.hpp"
#include "energies/gaussian.hpp"
#include "energies/gaussian_mixture.hpp"
#include "energies/many_well.hpp"
#include "energies/mueller_brown.hpp"
#include "energies/phi4.hpp"
#include "models/boltzmann_machine.hpp"
#include "models/deep_belief_network.hpp"
#include "models/gaussian_mrf.hpp"
#include "models/hee.hpp"
#include "models/hopfield.hpp"
#include "models/mlp_energy.hpp"
#include "models/mlp_score.hpp"
#include "models/modern_hopfield.hpp"
#include "models/nice.hpp"
#include "models/rbm.hpp"
#include "models/softmax_rbm.hpp"
#include "objectives/contrastive_divergence.hpp"
#include "objectives/denoising_score_matching.hpp"
#include "objectives/exact_likelihood.hpp"
#include "objectives/greedy_cd.hpp"
#include "objectives/hee_local.hpp"
#include "objectives/pseudo_likelihood.hpp"
#include "objectives/reverse_kl.hpp"
#include "optimizers/adam.hpp"
#include "optimizers/sgd.hpp"
#include "samplers/annealed_langevin.hpp"
#include "samplers/barker.hpp"
#include "samplers/dbn_generator.hpp"
#include "samplers/flow_generator.hpp"
#include "samplers/gibbs.hpp"
#include "samplers/hee_generator.hpp"
#include "samplers/hmc.hpp"
#include "samplers/langevin_gibbs.hpp"
#include "samplers/leimkuhler_matthews.hpp"
#include "samplers/mala.hpp"
#include "samplers/mclmc.hpp"
#include "samplers/replica_exchange.hpp"
#include "samplers/trajectory_tempering.hpp"
#include "samplers/ula.hpp"
#include "samplers/underdamped.hpp"

namespace partita {
namespace {

Sizes sizes_of(Model const& model) { return {model.visible_dimension(), model.dimension()}; }

template <class Class, class Options>
Sizes sizes_by_options(deck::Block const& b) {
  return Class::sizes(b.as<Options>());
}

// Those with arrays of their own take an Arrays, too.
template <class Options, class... More>
ModelEntry analytic(deck::Schema schema, std::unique_ptr<DifferentiableModel> (*make)(Options const&, More...)) {
  auto const with = [make](deck::Block const& b, Arrays const& arrays) {
    if constexpr (sizeof...(More) > 0) return make(b.as<Options>(), arrays);
    else return make(b.as<Options>());
  };
  return {{std::move(schema), [with](deck::Block const& b, random::Key, Arrays arrays) { return with(b, arrays); }},
          Capabilities::of<DifferentiableModel>(),
          [with](deck::Block const& b) {
            ArrayList unused;
            return sizes_of(*with(b, Arrays(unused)));
          }};
}

// The standard normals from which a model's parameters are initialised.
std::function<double(Index)> normals(random::Key key) {
  return [key](Index i) {
    auto const w = random::words(key, static_cast<std::uint64_t>(i), random::Stream::parameters, 0, 0);
    return random::normal_pair(w.w[0], w.w[1], double()).a;
  };
}

template <class Network, class Options>
ModelEntry network(deck::Schema schema) {
  return {{std::move(schema),
           [](deck::Block const& b, random::Key key, Arrays arrays) {
             auto model = std::make_unique<Network>(b.as<Options>(), arrays);
             if (arrays.makes()) model->initialise(normals(key));
             return model;
           }},
          Capabilities::of<Network>(),
          sizes_by_options<Network, Options>};
}

ModelEntry hee() {
  return {{hee_schema(),
           [](deck::Block const& b, random::Key key, Arrays arrays) { return std::make_unique<Hee>(b.as<HeeOptions>(), key, arrays); }},
          Capabilities::of<Hee>(),
          sizes_by_options<Hee, HeeOptions>};
}

// Restricted machines, for each kind of visible units.
ModelEntry rbm() {
  return {{rbm_schema(),
           [](deck::Block const& b, random::Key key, Arrays arrays) {
             auto model = make_rbm(b.as<RbmOptions>(), arrays);
             if (arrays.makes()) model->initialise(normals(key));
             return model;
           }},
          Capabilities::of<GaussianRbm>(),
          sizes_by_options<Rbm, RbmOptions>,
          [](deck::Block const& b) {
            return b.as<RbmOptions>().visible_units == "gaussian" ? Capabilities::of<GaussianRbm>() : Capabilities::of<Rbm>();
          }};
}

ModelEntry boltzmann_machine() {
  return {{boltzmann_machine_schema(),
           [](deck::Block const& b, random::Key key, Arrays arrays) {
             auto model = std::make_unique<BoltzmannMachine>(b.as<BoltzmannMachineOptions>(), arrays);
             if (arrays.makes()) model->initialise(normals(key));
             return model;
           }},
          Capabilities::of<BoltzmannMachine>(),
          sizes_by_options<BoltzmannMachine, BoltzmannMachineOptions>};
}

ModelEntry ising_lattice() {
  return {{ising_lattice_schema(),
           [](deck::Block const& b, random::Key, Arrays arrays) { return make_ising_lattice(b.as<IsingLatticeOptions>(), arrays); }},
          Capabilities::of<BoltzmannMachine>(),
          [](deck::Block const& b) { return sizes(b.as<IsingLatticeOptions>()); },
          {},
          false};
}

ModelEntry gaussian_mrf() {
  return {{gaussian_mrf_schema(), [](deck::Block const& b, random::Key,
                                     Arrays arrays) { return std::make_unique<GaussianMrf>(b.as<GaussianMrfOptions>(), arrays); }},
          Capabilities::of<GaussianMrf>(),
          sizes_by_options<GaussianMrf, GaussianMrfOptions>};
}

ModelEntry dbn() {
  return {{dbn_schema(),
           [](deck::Block const& b, random::Key key, Arrays arrays) {
             auto model = std::make_unique<DeepBeliefNetwork>(b.as<DbnOptions>(), arrays);
             if (arrays.makes()) model->initialise(normals(key));
             return model;
           }},
          Capabilities::of<DeepBeliefNetwork>(),
          sizes_by_options<DeepBeliefNetwork, DbnOptions>};
}

// Checks that patterns are random ones, or that there are items.
template <class Options>
void has_patterns(Fit const& fit) {
  if (fit.own.as<Options>().patterns > 0) return;
  if (fit.own.section == "target")
    fit.refuse("patterns", "target.patterns = 0 stands for training items, which a target cannot use; give a number of random patterns");
  else if (!given(fit.deck, "data"))
    fit.refuse(
        "patterns",
        "model.patterns = 0 stands for the training items of [data], but there is none; add it, or give a number of random patterns");
}

// Networks that store patterns.
template <class Network, class Options>
ModelEntry memory(deck::Schema schema, std::unique_ptr<Network> (*make)(Options const&, random::Key, Arrays)) {
  return {{std::move(schema), [make](deck::Block const& b, random::Key key, Arrays arrays) { return make(b.as<Options>(), key, arrays); }},
          Capabilities::of<Network>(),
          sizes_by_options<Network, Options>,
          {},
          false,
          has_patterns<Options>};
}

template <class Class, class Options>
SamplerEntry sampler(deck::Schema schema, Needs const& needed, Rule rule = {}) {
  SamplerEntry entry{
      {std::move(schema), [](deck::Block const& b) { return std::make_unique<Class>(b.as<Options>()); }}, needed, std::move(rule)};
  if constexpr (requires { typename Class::Scheme; }) entry.keeps_velocity = Class::Scheme::keeps_velocity;
  return entry;
}

void has_directions(Fit const& fit) {
  if (!fit.model) return;
  deck::Block const* const clamp = given(fit.deck, "clamp");
  bool const known = clamp && (fit.loaded->files || !given(fit.deck, "data"));
  fit.attempt(
      [&] { require_directions(known ? units_left_free(*fit.model, fit.data(), clamp->as<ClampOptions>()) : fit.model->dimension()); });
}

void moves_one_machine(Fit const& fit) {
  if (fit.deck.task == "sample" && !fit.can.has<GibbsModel>())
    fit.refuse("", "a belief network is sampled from its top machine down; use task = \"generate\" with generator.type = \"dbn_top_down\"");
}

// A model of ratings has no chains of its own: which items are rated differs from user to user.
Needs units_or_gradient() { return {Capabilities::only<GibbsModel, DifferentiableModel>(), Capabilities::only<SoftmaxRbm>()}; }

void moves_fit(Fit const& fit) {
  bool const gibbs = fit.own.as<ReplicaExchangeOptions>().moves == "gibbs";
  if (gibbs && !fit.can.has<GibbsModel>())
    fit.refuse("moves", "sampler.moves = \"gibbs\" draws units given the others, which this model cannot do; use mala, hmc or ula");
  if (!gibbs && !fit.can.has<DifferentiableModel>())
    fit.refuse("moves", "this model has no gradient, which sampler.moves needs; use moves = \"gibbs\"");
}

SamplerEntry replica_exchange() {
  return {{replica_exchange_schema(),
           [](deck::Block const& b) {
             return std::make_unique<ReplicaExchange>(b.as<ReplicaExchangeOptions>(), b.as<LadderOptions>(), Communicator::world());
           }},
          units_or_gradient(),
          moves_fit};
}

void copies_fit(Fit const& fit) {
  Index const rungs = fit.own.as<TrajectoryTemperingOptions>().rungs;
  if (fit.deck.task == "train" && rungs < 2) fit.refuse("rungs", "sampler.rungs = 1 keeps only the start of the training; use more");
  if (fit.model && fit.loaded->earlier_parameters)
    fit.attempt([&] { TrajectoryTempering::require_fit(*fit.loaded->earlier_parameters, rungs, fit.model->parameters().extent(0)); });
}

SamplerEntry trajectory_tempering() {
  return {{trajectory_tempering_schema(),
           [](deck::Block const& b) {
             auto const options = b.as<TrajectoryTemperingOptions>();
             auto const ranks = Communicator::world();
             TrajectoryTempering::Load load;
             if (!options.trajectory.empty()) load = [from = options.trajectory, ranks] { return kept_parameters(from, ranks); };
             return std::make_unique<TrajectoryTempering>(options, b.as<LadderOptions>(), ranks, load);
           }},
          needs<Rbm>(),
          copies_fit};
}

void chains_can_restart(Fit const& fit) {
  deck::Block const* const sampler = given(fit.deck, "sampler");
  if (sampler && named(samplers(), sampler->type).keeps_velocity)
    fit.refuse("", fmt::format("objective.type = \"{}\" restarts chains without velocities, but sampler.type = \"{}\" needs them; "
                               "use ula, leimkuhler_matthews, mala or hmc",
                               fit.own.type, sampler->type));
}

// The product of two counts, or the largest Index if that is smaller.
Index product_or_most(Index a, Index b) {
  Index product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<Index>::max() : product;
}

// Checks the chains of contrastive learning: their replay buffer, and the random numbers that their steps need.
void chains_fit(Fit const& fit, ChainStart start) {
  chains_can_restart(fit);
  auto const train = fit.deck.at("train").as<TrainOptions>();
  auto const options = fit.own.as<ContrastiveOptions>();
  auto const persistent = fit.own.as<PersistentOptions>();
  fit.attempt([&] {
    ContrastiveDivergence::require_fit(fit.can.meets(Capabilities::only<BoltzmannModel, DeepBeliefNetwork>()), train.batch, start, options,
                                       persistent);
  });
  if (fit.sizes)
    fit.attempt([&] {
      random::check_budget(2 * (start == ChainStart::persistent ? persistent.chains : train.batch),
                           product_or_most(train.updates, options.sampler_steps), divide_up(fit.sizes->dimension, 4));
    });
  if (fit.can.has<SoftmaxRbm>() && options.centred)
    fit.refuse("centred",
               "objective.centred needs units that all items of the data show, and model.type = \"softmax_rbm\" is of units that are "
               "missing; set it to false");
}

Index batch_of(deck::Document const& deck) { return deck.at("train").as<TrainOptions>().batch; }
Summation summation_of(deck::Document const& deck) { return deck.at("run").as<RunOptions>().summation(); }
Share share_of(ObjectiveListing const& l, Tiling const& tiling) { return {tiling, l.rank, l.ranks}; }

Tiling contrastive_tiling(deck::Document const& deck, Model const& model) {
  Index const batch = batch_of(deck);
  return {batch, deck.at("sampler").as<ChainOptions>().width(batch, model.dimension(), 4)};
}
Tiling greedy_tiling(deck::Document const& deck, DeepBeliefNetwork const& model) {
  Index widest = 0;
  for (Index k = 0; k < model.machines(); k++) widest = std::max(widest, model.machine(k).unit_count());
  Index const batch = batch_of(deck);
  return {batch, deck.at("sampler").as<ChainOptions>().width(batch, widest, 2)};
}
Tiling hee_local_tiling(deck::Document const& deck) {
  Index const batch = batch_of(deck);
  return {batch, hee_width(deck.at("sampler").as<ChainOptions>().tile_width, batch)};
}
Tiling reverse_kl_tiling(deck::Document const& deck) {
  Index const batch = batch_of(deck);
  return {batch, flow_width(deck.at("objective").as<ReverseKlOptions>().tile_width, batch)};
}

ObjectiveEntry contrastive(deck::Schema schema, ChainStart start) {
  return {{std::move(schema),
           [start](ObjectiveContext const& c) {
             auto const chains = c.run.deck.at("sampler").as<ChainOptions>();
             auto const& block = c.run.deck.at("objective");
             auto const options = block.as<ContrastiveOptions>();
             auto const persistent = block.as<PersistentOptions>();
             return std::make_unique<ContrastiveDivergence>(
                 as<LearnableEnergy>(c.model), *c.sampler, *c.batches, c.run.ranks, c.run.options.summation(), c.run.key,
                 contrastive_tiling(c.run.deck, c.model).width, start, options, persistent, chains.distribution());
           }},
          [start](ObjectiveListing const& l) {
            auto const& block = l.deck.at("objective");
            auto const persistent = block.as<PersistentOptions>();
            Tiling const tiling = contrastive_tiling(l.deck, l.model);
            ContrastiveDivergence::list(l.arrays, as<LearnableEnergy const>(l.model), share_of(l, tiling), summation_of(l.deck), start,
                                        block.as<ContrastiveOptions>(), persistent);
            return ObjectiveEntry::Laid{tiling, start == ChainStart::persistent ? divide_up(persistent.chains, tiling.chains) : 1};
          },
          start == ChainStart::at_data ? needs<LearnableEnergy>()
                                       : Needs{Capabilities::only<LearnableEnergy>(), Capabilities::only<SoftmaxRbm>()},
          true,
          true,
          [start](Fit const& fit) { chains_fit(fit, start); }};
}

template <class Class, class... Options>
ObjectiveEntry score_matching(deck::Schema schema) {
  return {{std::move(schema),
           [](ObjectiveContext const& c) {
             auto const& block = c.run.deck.at("objective");
             return std::make_unique<Class>(as<TrainableScore>(c.model), *c.batches, c.run.ranks, c.run.options.summation(), c.run.key,
                                            block.as<ScoreMatchingOptions>(), block.as<Options>()...);
           }},
          [](ObjectiveListing const& l) {
            auto const& block = l.deck.at("objective");
            Tiling const tiling = ScoreMatching::tiling(block.as<ScoreMatchingOptions>(), batch_of(l.deck));
            Class::list(l.arrays, as<TrainableScore const>(l.model), share_of(l, tiling), summation_of(l.deck), block.as<Options>()...);
            return ObjectiveEntry::Laid{tiling};
          },
          needs<TrainableScore>(),
          false,
          true,
          [](Fit const& fit) {
            fit.attempt_on<TrainableScore>([&](TrainableScore const& model) { Class::require_fit(model, fit.own.as<Options>()...); });
          }};
}

ObjectiveEntry exact_likelihood() {
  return {{exact_likelihood_schema(),
           [](ObjectiveContext const& c) {
             return std::make_unique<ExactLikelihood>(as<BoltzmannModel>(c.model), *c.batches, c.run.ranks, c.run.options.summation(),
                                                      c.run.deck.at("objective").as<ExactLikelihoodOptions>());
           }},
          [](ObjectiveListing const& l) {
            ExactLikelihood::list(l.arrays, as<BoltzmannModel const>(l.model), batch_of(l.deck), summation_of(l.deck), l.rank, l.ranks);
            return ObjectiveEntry::Laid{ExactLikelihood::tiling(batch_of(l.deck))};
          },
          {Capabilities::only<BoltzmannModel>(), Capabilities::only<SoftmaxRbm, GaussianRbm>()},
          false,
          true,
          [](Fit const& fit) { fit.attempt_on<BoltzmannModel>(ExactLikelihood::require_fit); }};
}

ObjectiveEntry greedy_cd() {
  return {{greedy_cd_schema(),
           [](ObjectiveContext const& c) {
             auto const& block = c.run.deck.at("objective");
             auto& model = as<DeepBeliefNetwork>(c.model);
             Index const width = greedy_tiling(c.run.deck, model).width;
             return std::make_unique<GreedyCd>(model, *c.sampler, *c.batches, c.run.deck.at("train").as<TrainOptions>().schedule_length(),
                                               c.run.ranks, c.run.options.summation(), c.run.key, width, block.as<ContrastiveOptions>(),
                                               block.as<PersistentOptions>());
           }},
          [](ObjectiveListing const& l) {
            auto const& block = l.deck.at("objective");
            auto const& model = as<DeepBeliefNetwork const>(l.model);
            Tiling const tiling = greedy_tiling(l.deck, model);
            GreedyCd::list(l.arrays, model, share_of(l, tiling), summation_of(l.deck), block.as<ContrastiveOptions>(),
                           block.as<PersistentOptions>());
            return ObjectiveEntry::Laid{tiling};
          },
          needs<DeepBeliefNetwork>(),
          true,
          true,
          [](Fit const& fit) { chains_fit(fit, ChainStart::persistent); },
          [](deck::Block const&) { return true; }};
}

ObjectiveEntry pseudo_likelihood() {
  return {{pseudo_likelihood_schema(),
           [](ObjectiveContext const& c) {
             return std::make_unique<PseudoLikelihood>(as<BoltzmannMachine>(c.model), *c.batches, c.run.ranks, c.run.options.summation(),
                                                       c.run.deck.at("objective").as<PseudoLikelihoodOptions>());
           }},
          [](ObjectiveListing const& l) {
            auto const tiling = PseudoLikelihood::tiling(l.deck.at("objective").as<PseudoLikelihoodOptions>(), batch_of(l.deck));
            PseudoLikelihood::list(l.arrays, as<BoltzmannMachine const>(l.model), share_of(l, tiling), summation_of(l.deck));
            return ObjectiveEntry::Laid{tiling};
          },
          needs<BoltzmannMachine>(),
          false,
          true,
          [](Fit const& fit) { fit.attempt_on<BoltzmannMachine>(PseudoLikelihood::require_fit); }};
}

ObjectiveEntry hee_local() {
  return {{hee_local_schema(),
           [](ObjectiveContext const& c) {
             auto const& sampler_block = c.run.deck.at("sampler");
             auto const chains = sampler_block.as<ChainOptions>();
             return std::make_unique<HeeLocal>(
                 as<Hee>(c.model), sampler_block.as<HeeLangevinOptions>(), c.run.deck.at("objective").as<HeeLocalOptions>(), *c.batches,
                 c.run.ranks, c.run.options.summation(), c.run.key, hee_local_tiling(c.run.deck).width, chains.distribution());
           }},
          [](ObjectiveListing const& l) {
            HeeLangevin const dynamics(l.deck.at("sampler").as<HeeLangevinOptions>(), as<Hee const>(l.model));
            Tiling const tiling = hee_local_tiling(l.deck);
            HeeLocal::list(l.arrays, dynamics, share_of(l, tiling), summation_of(l.deck));
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

ObjectiveEntry reverse_kl() {
  return {
      {reverse_kl_schema(),
       [](ObjectiveContext const& c) {
         auto const options = c.run.deck.at("objective").as<ReverseKlOptions>();
         auto const train = c.run.deck.at("train").as<TrainOptions>();
         auto& model = as<Nice>(c.model);
         return std::make_unique<ReverseKl>(model, make_target(c.run), options, reverse_kl_tiling(c.run.deck), train.schedule_length(),
                                            c.run.ranks, c.run.options.summation(), c.run.key);
       }},
      [](ObjectiveListing const& l) {
        auto const target = make_model(l.deck.at("target"), {}, l.arrays.in("target"));
        Tiling const tiling = reverse_kl_tiling(l.deck);
        ReverseKl::list(l.arrays, as<Nice const>(l.model), *target, share_of(l, tiling), summation_of(l.deck));
        return ObjectiveEntry::Laid{tiling};
      },
      needs<Nice>(),
      false,
      false,
      [](Fit const& fit) {
        auto const train = fit.deck.at("train").as<TrainOptions>();
        fit.attempt_on<Nice>([&](Nice const& m) { random::check_budget(train.batch, train.updates, divide_up(m.latent_dimension(), 4)); });
      },
      [](deck::Block const& b) {
        auto const o = b.as<ReverseKlOptions>();
        return o.beta_start < 1 && o.annealed_fraction > 0;
      }};
}

// Writes held-out items, or training items where there are none, to the visible layer, starting over when there are too few.
void show_items(data::Dataset const& data, HeeChains const& chains) {
  data::Split const split = data.size(data::Split::test) > 0         ? data::Split::test
                            : data.size(data::Split::validation) > 0 ? data::Split::validation
                                                                     : data::Split::train;
  data.fill(chains.x[0], chains.tiling, chains.mine, [&](Index chain) { return data.item(split, chain % data.size(split)); });
}

Share share_of(GeneratorListing const& l, Tiling const& tiling) { return {tiling, l.rank, l.ranks}; }

Tiling hee_tiling(deck::Document const& deck) {
  auto const common = deck.at("generator").as<GeneratorOptions>();
  return {common.samples, hee_width(common.tile_width, common.samples)};
}
Tiling dbn_tiling(deck::Document const& deck, DeepBeliefNetwork const& model) {
  auto const common = deck.at("generator").as<GeneratorOptions>();
  return {common.samples, ChainOptions{.tile_width = common.tile_width}.width(common.samples, model.top().unit_count(), 2)};
}

template <class Options>
GeneratorEntry hee_dynamics(deck::Schema schema, HeeRun (*run)(Options const&)) {
  return {{std::move(schema),
           [run](GeneratorContext const& c) {
             auto const& sampler_block = c.run.deck.at("sampler");
             auto const& block = c.run.deck.at("generator");
             HeeRun const wanted = run(block.as<Options>());
             Tiling const tiling = hee_tiling(c.run.deck);
             auto generator =
                 std::make_unique<HeeDynamicsGenerator>(as<Hee>(c.model), sampler_block.as<HeeLangevinOptions>(), wanted, tiling,
                                                        c.run.ranks, c.run.key, sampler_block.as<ChainOptions>().distribution());
             if (wanted.visible == Visible::clamped) show_items(*c.data, generator->chains());
             return generator;
           }},
          [run](GeneratorListing const& l) {
            auto const& model = as<Hee const>(l.model);
            Tiling const tiling = hee_tiling(l.deck);
            HeeDynamicsGenerator::list(l.held, l.at_end, model, l.deck.at("sampler").as<HeeLangevinOptions>(),
                                       run(l.deck.at("generator").as<Options>()), share_of(l, tiling));
            return GeneratorEntry::Laid{tiling, layers_of(model)};
          },
          needs<Hee>(),
          true,
          [run](Fit const& fit) {
            HeeRun const wanted = run(fit.own.as<Options>());
            if (wanted.visible == Visible::clamped && !given(fit.deck, "data"))
              fit.refuse("", fmt::format("generator.type = \"{}\" needs the items of a [data] section; add it", fit.own.type));
            if (wanted.visible == Visible::clamped && fit.data() && fit.model) fit.attempt([&] { require_width(*fit.data(), *fit.model); });
            auto const* const sampler = given(fit.deck, "sampler");
            if (!sampler || sampler->type != "hee_langevin") return;
            auto const dynamics = sampler->as<HeeLangevinOptions>();
            fit.attempt([&] { HeeDynamicsGenerator::require_fit(wanted, dynamics.step_size); });
            Index const samples = fit.own.as<GeneratorOptions>().samples;
            fit.attempt(
                [&] { random::check_budget(product_or_most(samples, wanted.group), steps_in(wanted.duration, dynamics.step_size), 0); });
          }};
}

GeneratorEntry hee_ancestral() {
  return {{hee_ancestral_schema(),
           [](GeneratorContext const& c) {
             return std::make_unique<HeeAncestralGenerator>(as<Hee>(c.model), hee_tiling(c.run.deck), c.run.ranks, c.run.key);
           }},
          [](GeneratorListing const& l) {
            auto const& model = as<Hee const>(l.model);
            Tiling const tiling = hee_tiling(l.deck);
            HeeAncestralGenerator::list(l.at_end, model, share_of(l, tiling));
            return GeneratorEntry::Laid{tiling, layers_of(model)};
          },
          needs<Hee>(),
          false};
}

GeneratorEntry dbn_top_down() {
  return {{dbn_generator_schema(),
           [](GeneratorContext const& c) {
             auto const& model = as<DeepBeliefNetwork>(c.model);
             auto const& block = c.run.deck.at("generator");
             return std::make_unique<DbnGenerator>(model, block.as<DbnGeneratorOptions>(), dbn_tiling(c.run.deck, model), c.run.ranks,
                                                   c.run.key);
           }},
          [](GeneratorListing const& l) {
            auto const& model = as<DeepBeliefNetwork const>(l.model);
            Tiling const tiling = dbn_tiling(l.deck, model);
            DbnGenerator::list(l.held, l.at_end, model, share_of(l, tiling));
            return GeneratorEntry::Laid{tiling, {{"x", model.dimension()}, {"x_mean", model.dimension()}}};
          },
          needs<DeepBeliefNetwork>(),
          false};
}

Tiling flow_tiling(deck::Document const& d) {
  auto const common = d.at("generator").as<GeneratorOptions>();
  return {common.samples, flow_width(common.tile_width, common.samples)};
}

std::unique_ptr<Model> listed_target(GeneratorListing const& l) { return make_model(l.deck.at("target"), {}, l.held.in("target")); }

GeneratorEntry flow() {
  return {{flow_schema(),
           [](GeneratorContext const& c) {
             auto& model = as<Nice>(c.model);
             return std::make_unique<FlowGenerator>(model, make_target(c.run), flow_tiling(c.run.deck), c.run.ranks, c.run.key);
           }},
          [](GeneratorListing const& l) {
            auto const& model = as<Nice const>(l.model);
            Tiling const tiling = flow_tiling(l.deck);
            FlowGenerator::list(l.held, l.at_end, model, *listed_target(l), share_of(l, tiling));
            Index const extra = model.latent_dimension() - model.dimension();
            std::vector<Generator::Variable> variables{{"x", model.dimension()}};
            if (extra > 0) variables.push_back({"y", extra});
            return GeneratorEntry::Laid{tiling, variables, 2};
          },
          needs<Nice>(),
          false};
}

void has_its_sampler(Fit const& fit) {
  if (Index const steps = fit.own.as<FlowMetropolisOptions>().sampler_steps; steps > 0 && !given(fit.deck, "sampler"))
    fit.refuse("sampler_steps", fmt::format("generator.sampler_steps = {} needs a [sampler]; add one, for example mala", steps));
}

GeneratorEntry flow_metropolis() {
  return {{flow_metropolis_schema(),
           [](GeneratorContext const& c) {
             auto& model = as<Nice>(c.model);
             auto const options = c.run.deck.at("generator").as<FlowMetropolisOptions>();
             auto const* block = c.run.deck.find("sampler");
             bool const has_sampler = block && block->given;
             return std::make_unique<FlowMetropolis>(model, make_target(c.run), has_sampler ? make_sampler(*block) : nullptr, options,
                                                     flow_tiling(c.run.deck), c.run.ranks, c.run.key);
           }},
          [](GeneratorListing const& l) {
            auto const& model = as<Nice const>(l.model);
            Tiling const tiling = flow_tiling(l.deck);
            deck::Block const* const block = given(l.deck, "sampler");
            auto const sampler = block ? make_sampler(*block) : nullptr;
            FlowMetropolis::list(l.held, l.at_end, model, *listed_target(l), sampler.get(), share_of(l, tiling));
            return GeneratorEntry::Laid{tiling, {{"x", model.dimension()}}, 2};
          },
          needs<Nice>(),
          false,
          has_its_sampler};
}

template <class Class, class Options>
OptimizerEntry optimizer(deck::Schema schema) {
  return {std::move(schema), [](deck::Block const& b, Index parameters, Arrays arrays) {
            return std::make_unique<Class>(b.as<Options>(), parameters, arrays);
          }};
}

template <class Entries>
std::vector<deck::Schema> schemas(Entries const& entries) {
  std::vector<deck::Schema> out;
  for (auto const& e : entries) out.push_back(e.schema);
  return out;
}

deck::Section model_section() {
  using O = WarmStart;
  return {.name = "model",
          .doc = "the energy E(x); p(x) = exp(-E(x)) / Z",
          .common = {deck::key("from", &O::from,
                               "run directory, checkpoint or HDF5 file of arrays whose parameters the model starts with; empty: none")
                         .free_on_restart()},
          .types = schemas(models()),
          .required_for = {"sample", "train", "generate"}};
}

deck::Section target_section() {
  using O = WarmStart;
  deck::Section s{
      .name = "target",
      .doc = "the energy U(x) that a flow learns to sample; p(x) = exp(-U(x)) / C",
      .common = {deck::key("from", &O::from,
                           "run directory, checkpoint or HDF5 file of arrays with the learnt parameters of the target; empty: none")
                     .free_on_restart()},
      .tasks = {"train", "generate", "estimate"}};
  for (auto const& m : models())
    if (m.can.has<DifferentiableModel>() && !m.can.has<Rbm>()) s.types.push_back(m.schema);
  return s;
}

deck::Section objective_section() {
  return {
      .name = "objective", .doc = "what training minimises", .types = schemas(objectives()), .tasks = {"train"}, .required_for = {"train"}};
}

deck::Section sampler_section() {
  return {.name = "sampler",
          .doc = "how chains move",
          .common = chain_keys(),
          .types = schemas(samplers()),
          .tasks = {"sample", "train", "generate"},
          .required_for = {"sample"}};
}

deck::Section generator_section() {
  return {.name = "generator",
          .doc = "the model's own generator of samples",
          .common = generator_keys(),
          .types = schemas(generators()),
          .tasks = {"generate"},
          .required_for = {"generate"}};
}

deck::Section optimizer_section() {
  return {.name = "optimizer",
          .doc = "how an update changes the parameters along the gradient",
          .common = optimizer_keys(),
          .types = schemas(optimizers()),
          .default_type = "adam",
          .tasks = {"train"}};
}

}  // namespace

std::vector<ModelEntry> const& models() {
  static std::vector<ModelEntry> const table = {
      analytic(gaussian_schema(), make_gaussian),
      analytic(double_well_schema(), make_double_well),
      analytic(gaussian_mixture_schema(), make_gaussian_mixture),
      analytic(many_well_schema(), make_many_well),
      analytic(mueller_brown_schema(), make_mueller_brown),
      analytic(funnel_schema(), make_funnel),
      analytic(banana_schema(), make_banana),
      analytic(phi4_schema(), make_phi4),
      network<MlpEnergy, MlpOptions>(mlp_schema()),
      network<MlpScore, MlpOptions>(mlp_score_schema()),
      gaussian_mrf(),
      rbm(),
      network<SoftmaxRbm, SoftmaxRbmOptions>(softmax_rbm_schema()),
      boltzmann_machine(),
      ising_lattice(),
      dbn(),
      memory(hopfield_schema(), make_hopfield),
      memory(modern_hopfield_schema(), make_modern_hopfield),
      hee(),
      network<Nice, NiceOptions>(nice_schema()),
  };
  return table;
}

std::vector<SamplerEntry> const& samplers() {
  static std::vector<SamplerEntry> const table = {
      sampler<Ula, UlaOptions>(ula_schema(), needs<ScoreModel>()),
      sampler<LeimkuhlerMatthews, LeimkuhlerMatthewsOptions>(leimkuhler_matthews_schema(), needs<ScoreModel>()),
      sampler<Mala, MalaOptions>(mala_schema(), needs<DifferentiableModel>()),
      sampler<Barker, BarkerOptions>(barker_schema(), needs<DifferentiableModel>()),
      sampler<Underdamped, UnderdampedOptions>(underdamped_schema(), needs<ScoreModel>()),
      sampler<Hmc, HmcOptions>(hmc_schema(), needs<DifferentiableModel>()),
      sampler<Mclmc, MclmcOptions>(mclmc_schema(), needs<DifferentiableModel>(), has_directions),
      sampler<Mams, MamsOptions>(mams_schema(), needs<DifferentiableModel>(), has_directions),
      sampler<AnnealedLangevin, AnnealedLangevinOptions>(annealed_langevin_schema(), needs<ScoreModel>()),
      sampler<Gibbs, GibbsOptions>(gibbs_schema(), needs<GibbsModel, DeepBeliefNetwork>(), moves_one_machine),
      replica_exchange(),
      trajectory_tempering(),
      sampler<LangevinGibbs, LangevinGibbsOptions>(langevin_gibbs_schema(), needs<GaussianRbm>()),
      {{hee_langevin_schema(), nullptr},
       needs<Hee>(),
       [](Fit const& fit) { fit.attempt_on<Hee>([&](Hee const& model) { HeeLangevin(fit.own.as<HeeLangevinOptions>(), model); }); }},
  };
  return table;
}

std::vector<OptimizerEntry> const& optimizers() {
  static std::vector<OptimizerEntry> const table = {
      optimizer<Adam, AdamOptions>(adam_schema()),
      optimizer<Sgd, SgdOptions>(sgd_schema()),
  };
  return table;
}

std::vector<ObjectiveEntry> const& objectives() {
  static std::vector<ObjectiveEntry> const table = {
      contrastive(contrastive_divergence_schema(), ChainStart::at_data),
      contrastive(persistent_cd_schema(), ChainStart::persistent),
      score_matching<ExactScoreMatching>(exact_score_matching_schema()),
      score_matching<SlicedScoreMatching, SlicedOptions>(sliced_score_matching_schema()),
      score_matching<DenoisingScoreMatching, DenoisingOptions>(denoising_score_matching_schema()),
      pseudo_likelihood(),
      exact_likelihood(),
      greedy_cd(),
      hee_local(),
      reverse_kl(),
  };
  return table;
}

std::vector<GeneratorEntry> const& generators() {
  static std::vector<GeneratorEntry> const table = {
      hee_dynamics(hee_joint_schema(), joint_run),
      hee_dynamics(hee_marginal_schema(), marginal_run),
      hee_dynamics(hee_posterior_schema(), posterior_run),
      hee_ancestral(),
      dbn_top_down(),
      flow(),
      flow_metropolis(),
  };
  return table;
}

std::unique_ptr<Model> make_model(deck::Block const& block, random::Key key, Arrays arrays) {
  return named(models(), block.type).make(block, key, arrays);
}
std::unique_ptr<Sampler> make_sampler(deck::Block const& block) {
  auto const& entry = named(samplers(), block.type);
  return entry.make ? entry.make(block) : nullptr;
}
std::unique_ptr<Objective> make_objective(ObjectiveContext const& c) {
  return named(objectives(), c.run.deck.at("objective").type).make(c);
}
std::unique_ptr<Generator> make_generator(GeneratorContext const& c) {
  return named(generators(), c.run.deck.at("generator").type).make(c);
}
std::unique_ptr<Optimizer> make_optimizer(deck::Block const& block, Index parameters, Arrays arrays) {
  return named(optimizers(), block.type).make(block, parameters, arrays);
}

std::unique_ptr<DifferentiableModel> make_target(RunContext const& c) {
  deck::Block const& block = c.deck.at("target");
  auto model = make_model(block, c.key);
  warm_start(*model, block, c.ranks, c.inputs);
  return std::unique_ptr<DifferentiableModel>(&as<DifferentiableModel>(*model.release()));
}

deck::Catalogue const& catalogue() {
  static deck::Catalogue const all{{run_section(), data::section(), model_section(), target_section(), objective_section(),
                                    sampler_section(), clamp_section(), generator_section(), optimizer_section(), train_section(),
                                    input_section(), estimator_section(), output_section(), checkpoint_section()}};
  return all;
}

std::optional<Index> schedule_length(deck::Document const& deck) {
  deck::Block const *const train = deck.find("train"), *const objective = deck.find("objective"), *const optimizer = deck.find("optimizer");
  if (!train || !objective || !optimizer || !train->given) return {};
  auto const& has_schedule = named(objectives(), objective->type).has_schedule;
  bool const follows = optimizer->as<OptimizerOptions>().schedule != "constant" || (has_schedule && has_schedule(*objective));
  return follows ? std::optional(train->as<TrainOptions>().schedule_length()) : std::nullopt;
}

std::string list(std::string const& kind) {
  std::string out, kinds;
  for (deck::Section const& section : catalogue().sections) {
    if (section.types.empty()) continue;
    std::string const name = section.name == "data" ? "data" : section.name + "s";
    kinds += (kinds.empty() ? "" : ", ") + name;
    if (!kind.empty() && kind != name) continue;
    out += fmt::format("{}\n", name);
    for (deck::Schema const& s : section.types) out += fmt::format("  {:<24} {}\n", s.type, s.doc);
  }
  require_all(!out.empty(), ExitCode::usage, "'partita list {}': unknown; use one of {}", kind, kinds);
  return out;
}

}  // namespace partita
