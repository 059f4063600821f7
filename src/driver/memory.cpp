// What a run will hold in memory, from its deck alone.
#include "driver/progress.hpp"
#include "driver/registry.hpp"
#include "driver/task.hpp"
#include "io/samples.hpp"
#include "objectives/contrastive_divergence.hpp"

namespace partita {
namespace {

class Table {
 public:
  void add(std::string const& what, double bytes) {
    text_ += fmt::format("# {:<44} {:>12}\n", what, readable_bytes(bytes));
    total_ += bytes;
  }
  std::string finish() const { return text_ + fmt::format("# {:<44} {:>12}\n", "total", readable_bytes(total_)); }

 private:
  std::string text_;
  double total_ = 0;
};

}  // namespace

std::string memory_estimate(deck::Document const& deck, Communicator const& ranks) {
  Table table;
  deck::Block const *model_block = deck.find("model"), *sampler_block = deck.find("sampler");
  if (!model_block || !sampler_block) return "# nothing beyond the points that are read\n";
  auto const model = make_model(*model_block, {});
  auto const sampler = make_sampler(*sampler_block);
  auto const chains = sampler_block->as<ChainOptions>();
  Index const d = model->dimension(), rows = sampler->work_rows(d);
  bool const train = deck.task == "train";
  Index const batch = train ? deck.at("train").as<TrainOptions>().batch : chains.chains;
  Tiling const tiling{batch, chains.width(batch, d, train ? 4 : 1 + divide_up(rows, d))};
  double const tile = static_cast<double>(sizeof(Real) * static_cast<std::size_t>(tiling.pitch()));  // bytes of a row of a tile
  double const tiles = static_cast<double>(tiling.tiles()), in_flight = static_cast<double>(ranks.ranks()) * static_cast<double>(tiles_in_flight(divide_up(tiling.tiles(), ranks.ranks())));
  double const dimension = static_cast<double>(d);
  std::string const shape = fmt::format("{} tiles of {}", tiling.tiles(), tiling.width);

  double sets = 1;
  if (train) {
    auto const& objective = deck.at("objective");
    if (objective.type == "persistent_cd") sets = static_cast<double>(divide_up(objective.as<PersistentOptions>().chains, batch));
    table.add("minibatch (" + shape + ")", tiles * dimension * tile);
  }
  table.add(train ? fmt::format("chains ({:.0f} batches)", sets) : "chains (" + shape + ")", sets * tiles * (dimension * (sampler->keeps_velocity() ? 2 : 1) + 2) * tile);
  table.add("gradient and work of the tiles in flight", in_flight * (static_cast<double>(rows) + dimension) * tile);
  table.add("model's work memory", static_cast<double>(ranks.ranks()) * static_cast<double>(model->work_bytes(tiles_in_flight(divide_up(tiling.tiles(), ranks.ranks())), tiling.width)));
  if (auto const* learns = dynamic_cast<TrainableModel const*>(model.get())) {
    double const parameters = static_cast<double>(learns->parameters().extent(0)), copies = train ? 3 + 2 + 2 : 1;
    table.add(fmt::format("{:.0f} parameters, gradient, optimizer, averages", parameters), static_cast<double>(ranks.ranks()) * copies * parameters * sizeof(Real));
  }
  if (!train) {
    double const draws = static_cast<double>(std::max<Index>(0, (chains.steps - chains.warmup) / chains.thin));
    double const bytes = draws * static_cast<double>(chains.chains) * (dimension * sizeof(Real) + 13);
    table.add("draws waiting for their part, at most", std::min(bytes, static_cast<double>(part_bytes)));
    double const chain_steps = static_cast<double>(chains.chains) * static_cast<double>(chains.steps);
    return table.finish() + fmt::format("# cost: {:.4g} chain-steps, {:.4g} energy evaluations; files: {} of samples in {:.0f} draws\n", chain_steps,
                                        chain_steps * sampler->evaluations_per_step(), readable_bytes(bytes), draws);
  }
  auto const updates = static_cast<double>(deck.at("train").as<TrainOptions>().updates);
  auto const k = static_cast<double>(deck.at("objective").as<ContrastiveOptions>().sampler_steps);
  return table.finish() + fmt::format("# and the data, read whole by each rank\n# cost: {:.4g} chain-steps in {:.0f} updates, {:.3g} GFLOP in matrix products\n", updates * k * static_cast<double>(batch),
                                      updates, 1e-9 * updates * static_cast<double>(batch) * model->flops_per_evaluation() * (k + 3));
}

}  // namespace partita
