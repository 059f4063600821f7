#include "objectives/greedy_cd.hpp"

#include <algorithm>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "objectives/entry.hpp"
#include "objectives/train_options.hpp"
#include "samplers/chain_options.hpp"

namespace partita {
namespace {

constexpr Index batches_of_means = 20;  // number of minibatches from whose draws a layer's means are computed

// to = from', (rows, columns) of `to`.
void transpose(Vector from, Vector to, Index rows, Index columns) {
  Kokkos::parallel_for(
      "partita::transpose_weights", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, rows * columns),
      KOKKOS_LAMBDA(Index n) { to(n) = from(n % columns * rows + n / columns); });
}

// Of the minibatch, (tile, units, pitch) each.
std::vector<TileStorage> make_layers(Arrays const& arrays, DeepBeliefNetwork const& model, Share const& share) {
  std::vector<TileStorage> layers;
  for (Index k = 0; k < model.machines(); k++)
    layers.push_back(
        arrays.make<TileStorage>("layer of the minibatch", share.mine().count, model.machine(k).dimension(), share.tiling.pitch()));
  return layers;
}

}  // namespace

deck::Schema greedy_cd_schema() {
  deck::Schema schema = persistent_cd_schema();
  schema.type = "greedy_cd";
  schema.doc =
      "the machines of a deep_belief_network one after the other by persistent_cd, each from draws of the layer below, with equal shares "
      "of the updates";
  return schema;
}

void GreedyCd::list(Arrays arrays, DeepBeliefNetwork const& model, Share const& share, Summation summation,
                    ContrastiveOptions const& options, PersistentOptions const& persistent) {
  make_layers(arrays, model, share);
  for (Index k = 0; k < model.machines(); k++)
    ContrastiveDivergence::list(arrays.in(fmt::format("machine{}", k)), model.machine(k), share, summation, ChainStart::persistent, options,
                                persistent);
}

GreedyCd::GreedyCd(DeepBeliefNetwork& model, Sampler& sampler, data::Batches const& batches, Index updates, Communicator communicator,
                   Summation summation, random::Key key, Index tile_width, ContrastiveOptions options, PersistentOptions persistent)
    : model_(model),
      batches_(batches),
      updates_(updates),
      communicator_(communicator),
      key_(key),
      tiling_{batches.batch(), tile_width},
      mine_(share_of_tiles(tiling_.tiles(), communicator.rank(), communicator.ranks())),
      layers_(make_layers({}, model, {tiling_, communicator.rank(), communicator.ranks()})) {
  for (Index k = 0; k < model.machines(); k++) {
    auto const key_of_machine = random::derived_key(key, random::Stream::belief_layers, std::uint64_t(k));
    learners_.push_back(std::make_unique<ContrastiveDivergence>(
        model.machine(k), sampler, batches, communicator, summation, key_of_machine, tile_width, ChainStart::persistent, options,
        persistent, InitialDistribution{},
        [this, k](TileStorage to, Tiling const& tiling, TileRange mine, Index update) { fill(k, to, tiling, mine, update); }));
  }
}

std::vector<Phase> GreedyCd::phases(Index updates, Index) const {
  std::vector<Phase> out;
  for (Index k = 0; k < model_.machines(); k++) {
    Index const first = updates * k / model_.machines(), end = updates * (k + 1) / model_.machines();
    out.push_back({first, end - first, model_.first_parameter(k), extent(model_.machine(k).parameters(), 0)});
  }
  return out;
}

Index GreedyCd::machine_before(Index update) const {
  Index k = 0;
  while (k + 1 < model_.machines() && update > updates_ * (k + 1) / model_.machines()) k++;
  return k;
}

// Layer `machine` of the minibatch, drawn upwards from the data, with new random numbers in each update.
void GreedyCd::fill(Index machine, TileStorage to, Tiling const& tiling, TileRange mine, Index update) {
  if (machine == 0) return batches_.fill(to, tiling, mine, update);
  batches_.fill(layers_.front(), tiling, mine, update);
  for (Index tile = 0; tile < mine.count; tile++) {
    auto const view = [&](TileStorage const& s) {
      return Tiles(Kokkos::subview(s, std::pair(tile, tile + 1), Kokkos::ALL, std::pair(Index{0}, tiling.lanes(mine.first + tile))));
    };
    std::vector<Tiles> layers;
    for (Index k = 1; k < machine; k++) layers.push_back(view(layers_[k]));
    layers.push_back(view(to));
    model_.draw_upwards(
        view(layers_.front()), layers,
        {.key = key_, .chains = ChainNumbers(tiling, mine).from(tile), .step = update, .stream = random::Stream::hidden_start});
  }
}

std::vector<double> GreedyCd::mean_of_layer(Index machine, Index update) {
  auto const units = std::size_t(model_.machine(machine).dimension());
  std::vector<double> mean(units);
  TileStorage const& layer = layers_[machine];
  for (Index b = 0; b < batches_of_means; b++) {
    fill(machine, layer, tiling_, mine_, update + b);
    auto const host = values_on_host(layer);
    std::vector<double> sums(std::size_t(mine_.count) * units);
    for (Index t = 0; t < mine_.count; t++)
      for (std::size_t i = 0; i < units; i++)
        for (Index l = 0; l < tiling_.chains_in(mine_.first + t); l++) sums[std::size_t(t) * units + i] += double(host(t, i, l));
    auto const all = sum_over_tiles(communicator_, mine_, tiling_.tiles(), sums, Index(units));
    for (std::size_t i = 0; i < units; i++) mean[i] += all[i] / double(batches_of_means * tiling_.chains);
  }
  return mean;
}

void GreedyCd::start_machine(Index k, Index update) {
  Rbm& machine = model_.machine(k);
  Rbm const& below = model_.machine(k - 1);
  UnitMoments const moments{mean_of_layer(k, update), {}, batches_of_means * tiling_.chains};
  if (machine.hidden() == below.dimension()) {
    transpose(below.weight(), machine.weight(), machine.dimension(), machine.hidden());
    copy_array(machine.visible_bias(), below.hidden_bias());
    copy_array(machine.hidden_bias(), below.visible_bias());
  } else {
    machine.start_from(moments);
  }
  machine.parameters_changed();
  machine.set_reference(moments);
  learners_[k]->place_chains();
}

Vector GreedyCd::gradient(Index update, Timers& timers) {
  Index const k = machine_before(update + 1);
  if (k > 0 && update == updates_ * k / model_.machines()) start_machine(k, update);
  return learner(update + 1).gradient(update, timers);
}

std::vector<Series> GreedyCd::series() const {
  auto out = learners_.front()->series();
  out.push_back({"machine", "machine of the stack that learns at this update, counted from 0", true});
  return out;
}

std::vector<double> GreedyCd::report(Index update) {
  auto out = learner(update).report(update);
  out.push_back(double(machine_before(update)));
  return out;
}

std::vector<std::string> GreedyCd::warnings(std::vector<std::vector<double>> const& reports) const {
  std::vector<std::string> out;
  for (std::size_t k = 0; k < learners_.size(); k++) {
    std::vector<std::vector<double>> of_machine;
    for (auto const& r : reports)
      if (r.back() == double(k)) of_machine.push_back(r);
    for (auto const& w : learners_[k]->warnings(of_machine)) out.push_back(fmt::format("machine {}: {}", k, w));
  }
  return out;
}

void GreedyCd::describe_state(State& state) {
  for (std::size_t k = 0; k < learners_.size(); k++) {
    State of_machine;
    learners_[k]->describe_state(of_machine);
    state.add_group(fmt::format("machine{}", k), of_machine);
  }
}

namespace {

Tiling greedy_tiling(deck::Document const& deck, DeepBeliefNetwork const& model) {
  Index widest = 0;
  for (Index k = 0; k < model.machines(); k++) widest = std::max(widest, model.machine(k).unit_count());
  Index const batch = batch_of(deck);
  return {batch, deck.at("sampler").as<ChainOptions>().width(batch, widest, 2)};
}

}  // namespace

ObjectiveEntry greedy_cd_objective() {
  return {{greedy_cd_schema(),
           [](ObjectiveContext const& c) {
             auto const& block = c.deck.at("objective");
             auto& model = as<DeepBeliefNetwork>(c.model);
             Index const width = greedy_tiling(c.deck, model).width;
             return std::make_unique<GreedyCd>(model, *c.sampler, *c.batches, c.deck.at("train").as<TrainOptions>().schedule_length(),
                                               c.ranks, c.summation, c.key, width, block.as<ContrastiveOptions>(),
                                               block.as<PersistentOptions>());
           }},
          [](ObjectiveListing const& l) {
            auto const& block = l.deck.at("objective");
            auto const& model = as<DeepBeliefNetwork const>(l.model);
            Tiling const tiling = greedy_tiling(l.deck, model);
            GreedyCd::list(l.arrays, model, l.share(tiling), l.summation, block.as<ContrastiveOptions>(), block.as<PersistentOptions>());
            return ObjectiveEntry::Laid{tiling};
          },
          needs<DeepBeliefNetwork>(),
          true,
          true,
          [](Fit const& fit) { chains_fit(fit, ChainStart::persistent); },
          [](deck::Block const&) { return true; },
          true};
}

}  // namespace partita
