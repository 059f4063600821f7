// Estimate of a run's memory from its deck alone.
#include "core/memory.hpp"

#include "driver/registry.hpp"
#include "driver/task.hpp"
#include "io/samples.hpp"
#include "objectives/contrastive_divergence.hpp"
#include "objectives/hee_local.hpp"
#include "objectives/reverse_kl.hpp"
#include "samplers/flow_generator.hpp"
#include "samplers/hee_generator.hpp"

namespace partita {
namespace {

class Table {
 public:
  void add(std::string const& what, double bytes) {
    text_ += fmt::format("# {:<44} {:>12}\n", what, readable_bytes(bytes));
    total_ += bytes;
  }
  void add_parameters(Model const& model, bool train, Index ranks) {
    auto const n = static_cast<double>(model.parameters().extent(0)), copies = train ? 3. + 2 + 2 : 1.;
    if (n > 0)
      add(fmt::format("{:.0f} parameters{}", n, train ? ", gradient, optimizer, averages" : ""),
          static_cast<double>(ranks) * copies * n * sizeof(Real));
  }
  std::string finish() const { return text_ + fmt::format("# {:<44} {:>12}\n", "total", readable_bytes(total_)); }

 private:
  std::string text_;
  double total_ = 0;
};

// Runs in which a sampler moves chains of an energy.
std::string of_energy(deck::Document const& deck, Index ranks) {
  Table table;
  auto const& sampler_block = deck.at("sampler");
  auto const model = make_model(deck.at("model"), {});
  auto const sampler = make_sampler(sampler_block);
  auto const chains = sampler_block.as<ChainOptions>();
  Index const d = model->dimension(), rows = sampler->work_rows(d);
  bool const train = deck.task == "train";
  Index const batch = train ? deck.at("train").as<TrainOptions>().batch : chains.chains;
  Tiling const tiling{batch, chains.width(batch, d, train ? 4 : 1 + divide_up(rows, d))};
  double const tile = static_cast<double>(sizeof(Real) * static_cast<std::size_t>(tiling.pitch()));  // bytes of a row of a tile
  double const tiles = static_cast<double>(tiling.tiles()),
               in_flight = static_cast<double>(ranks) * static_cast<double>(tiles_in_flight(divide_up(tiling.tiles(), ranks)));
  double const dimension = static_cast<double>(d);
  std::string const shape = fmt::format("{} tiles of {}", tiling.tiles(), tiling.width);

  double sets = 1;
  if (train) {
    auto const& objective = deck.at("objective");
    if (objective.type == "persistent_cd" || objective.type == "greedy_cd")
      sets = static_cast<double>(divide_up(objective.as<PersistentOptions>().chains, batch));
    table.add("minibatch (" + shape + ")", tiles * dimension * tile);
  }
  table.add(train ? fmt::format("chains ({:.0f} batches)", sets) : "chains (" + shape + ")",
            sets * tiles * (dimension * (sampler->keeps_velocity() ? 2 : 1) + 2) * tile);
  if (sampler->rungs() > 1)
    table.add(fmt::format("chains of {} further rungs", sampler->rungs() - 1),
              sets * tiles * static_cast<double>(sampler->rungs() - 1) * (dimension + 7) * tile);
  table.add("gradient and work of the tiles in flight", in_flight * (static_cast<double>(rows) + dimension) * tile);
  table.add("model's work memory", static_cast<double>(ranks) * static_cast<double>(model->work_bytes(
                                                                    tiles_in_flight(divide_up(tiling.tiles(), ranks)), tiling.width)));
  table.add_parameters(*model, train, ranks);
  if (!train) {
    double const draws = static_cast<double>(std::max<Index>(0, (chains.steps - chains.warmup) / chains.thin));
    double const bytes = draws * static_cast<double>(chains.chains) * (dimension * sizeof(Real) + 13);
    table.add("draws waiting for their part, at most", std::min(bytes, static_cast<double>(part_bytes)));
    double const chain_steps = static_cast<double>(chains.chains) * static_cast<double>(chains.steps);
    return table.finish() + fmt::format("# cost: {:.4g} chain-steps, {:.4g} energy evaluations; files: {} of samples in {:.0f} draws\n",
                                        chain_steps, chain_steps * sampler->evaluations_per_step(), readable_bytes(bytes), draws);
  }
  auto const updates = static_cast<double>(deck.at("train").as<TrainOptions>().updates);
  auto const k = static_cast<double>(deck.at("objective").as<ContrastiveOptions>().sampler_steps);
  std::string const cost = fmt::format("# and the data, read whole by each rank\n# cost: {:.4g} chain-steps in {:.0f} updates",
                                       updates * k * static_cast<double>(batch), updates);
  auto const* differentiable = if_can<DifferentiableModel>(model.get());
  if (!differentiable) return table.finish() + cost + "\n";
  return table.finish() + cost +
         fmt::format(", {:.3g} GFLOP in matrix products\n",
                     1e-9 * updates * static_cast<double>(batch) * differentiable->flops_per_evaluation() * (k + 3));
}

// Runs with the dynamics of an hee.
std::string of_hee(deck::Document const& deck, Index ranks) {
  Table table;
  bool const train = deck.task == "train";
  auto const model = make_model(deck.at("model"), {});
  auto const& hee = as<Hee>(*model);
  HeeLangevin const dynamics(deck.at("sampler").as<HeeLangevinOptions>(), hee);
  Index const group = train ? 1 : deck.at("generator").as<HeeMarginalOptions>().latent_chains;
  Index const chains =
      train ? deck.at("train").as<TrainOptions>().batch
            : deck.at("generator").as<GeneratorOptions>().samples * (deck.at("generator").type == "hee_marginal" ? group : 1);
  Index const asked = train ? deck.at("sampler").as<ChainOptions>().tile_width : deck.at("generator").as<GeneratorOptions>().tile_width;
  Tiling const tiling{chains, hee_width(asked, chains)};
  auto const in_flight = tiles_in_flight(divide_up(tiling.tiles(), ranks));
  table.add(fmt::format("layers and fast neurons ({} tiles of {})", tiling.tiles(), tiling.width),
            static_cast<double>(tiling.tiles()) * static_cast<double>(dynamics.make_chains(tiling, {0, 1}).bytes()));
  table.add("work of the tiles in flight", static_cast<double>(ranks) * static_cast<double>(dynamics.work_bytes(in_flight, tiling.width)));
  table.add_parameters(hee, train, ranks);
  double steps = 0;
  if (train) {
    auto const o = deck.at("objective").as<HeeLocalOptions>();
    steps = static_cast<double>(deck.at("train").as<TrainOptions>().updates) * static_cast<double>(o.steps_per_update);
    steps *= 1 + static_cast<double>(o.warmup) / static_cast<double>(o.steps_per_batch);
  }
  if (!train) return table.finish();
  double const chain_steps = steps * static_cast<double>(chains);
  return table.finish() +
         fmt::format("# and the data, read whole by each rank\n# cost: {:.4g} chain-steps, {:.3g} GFLOP in matrix products\n", chain_steps,
                     1e-9 * chain_steps * dynamics.flops_per_step(true));
}

// Runs with samples of a flow.
std::string of_flow(deck::Document const& deck, Index ranks) {
  Table table;
  bool const train = deck.task == "train";
  auto const model = make_model(deck.at("model"), {});
  auto const& flow = as<Nice>(*model);
  Index const samples = train ? deck.at("train").as<TrainOptions>().batch : deck.at("generator").as<GeneratorOptions>().samples;
  Tiling const tiling{samples, flow_width(train ? deck.at("objective").as<ReverseKlOptions>().tile_width
                                                : deck.at("generator").as<GeneratorOptions>().tile_width,
                                          samples)};
  double const row = static_cast<double>(tiling.tiles() * tiling.pitch()) * sizeof(Real);
  table.add(fmt::format("latents{} ({} tiles of {})", train ? "" : " and samples", tiling.tiles(), tiling.width),
            (train ? 1. : 2.) * static_cast<double>(flow.latent_dimension() + 2) * row);
  table.add("flow's work memory", static_cast<double>(ranks) * static_cast<double>(flow.work_bytes(1, tiling.width)));
  table.add_parameters(flow, train, ranks);
  return table.finish();
}

// A model alone, without chains.
std::string of_model(deck::Document const& deck, Index ranks) {
  Table table;
  bool const train = deck.task == "train";
  auto const model = make_model(deck.at("model"), {});
  table.add_parameters(*model, train, ranks);
  if (train)
    table.add("minibatch",
              static_cast<double>(sizeof(Real)) * static_cast<double>(deck.at("train").as<TrainOptions>().batch * model->dimension()));
  return table.finish() + "# and the data, read whole by each rank, and the samples\n";
}

}  // namespace

std::string memory_estimate(deck::Document const& deck, Index ranks) {
  deck::Block const *model = deck.find("model"), *sampler = deck.find("sampler");
  if (!model || !model->given) return Table().finish() + "# and the points, read whole by each rank\n";
  if (deck.task == "estimate") return of_model(deck, ranks);
  if (model->type == "nice") return of_flow(deck, ranks);
  if (!sampler || !sampler->given) return of_model(deck, ranks);
  return model->type == "hee" ? of_hee(deck, ranks) : of_energy(deck, ranks);
}

}  // namespace partita
