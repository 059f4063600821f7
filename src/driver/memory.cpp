// What a run will hold in memory, from its deck alone: every class lists its arrays, for each of the ranks.
#include "core/memory.hpp"

#include <map>

#include "data/load.hpp"
#include "driver/evaluation.hpp"
#include "driver/layout.hpp"
#include "driver/registry.hpp"
#include "io/collective_file.hpp"
#include "models/hee_joint.hpp"
#include "objectives/contrastive_divergence.hpp"
#include "objectives/hee_local.hpp"
#include "objectives/train_options.hpp"
#include "samplers/chain_options.hpp"
#include "samplers/rejection_runs.hpp"

namespace partita {
namespace {

class MemoryTable {
 public:
  MemoryTable(deck::Document const& deck, Index ranks) : deck_(deck), ranks_(ranks) {}

  std::string text() {
    set_copies(ranks_);
    list_data();
    if (deck::Block const* block = given(deck_, "model")) list_task(*block);
    list_estimators();
    return table() + notes_;
  }

 private:
  // f(a rank's share) for ranks with different numbers of tiles; what it lists counts as often as there are such ranks.
  template <class List>
  void on_ranks(Tiling const& tiling, List const& list) {
    std::map<Index, std::pair<int, Index>> kinds;  // by number of tiles: the first such rank, and how many there are
    for (int rank = 0; rank < int(ranks_); rank++)
      kinds.try_emplace(Share{tiling, rank, int(ranks_)}.mine().count, rank, 0).first->second.second++;
    for (auto kind = kinds.rbegin(); kind != kinds.rend(); ++kind) {
      set_copies(kind->second.second);
      list(Share{tiling, kind->second.first, int(ranks_)});
    }
    set_copies(ranks_);
  }
  void set_copies(Index n) {
    for (ArrayList* list : {&of_data_, &reading_, &held_, &recording_, &writing_, &finishing_}) list->set_copies(n);
  }

  void list_data() {
    deck::Block const* block = given(deck_, "data");
    if (!block) return;
    try {
      data_ = data::list(Arrays(of_data_), Arrays(reading_), *block);
    } catch (Failure const& failure) {
      notes_ += fmt::format("# and the data, read whole by each rank, which are not here ({})\n", failure.what());
    }
  }

  void list_task(deck::Block const& block) {
    model_ = make_model(block, {}, Arrays(held_).in("model"));
    if (auto* memory = if_can<AssociativeMemory>(model_.get()); memory && memory->patterns() == 0)
      memory->expect(data_ ? data_->rows - data_->test_rows : 1, Arrays(held_).in("model"));
    if (deck_.task == "train") list_training();
    if (deck_.task == "sample") list_sampling();
    if (deck_.task == "generate") list_generation();
  }

  void list_training() {
    Index const n = parameter_count(*model_);
    TrainingParameters(Arrays(held_), n);
    make_optimizer(deck_.at("optimizer"), n, Arrays(held_));
    ArrayList unused;
    auto const laid = list_objective(deck_, 0, int(ranks_), *model_, Arrays(unused));
    on_ranks(laid.tiling, [&](Share const& share) {
      list_objective(deck_, share.rank, share.ranks, *model_, Arrays(held_));
      if (auto const* hee = if_can<Hee>(model_.get())) list_log_joint(Arrays(recording_), *hee, share);
      if (laid.generations == 0) return list_stripe(std::min(n * Index(sizeof(Real)), bytes_of_stripe));
      list_moves(share, laid.generations);
      list_draws(chains_format(output(), share, model_->dimension(), training_statistics()));
      list_read_back(share, laid.generations);
    });
    note_cost_of_training();
  }

  void list_sampling() {
    auto const options = deck_.at("sampler").as<ChainOptions>();
    auto const sampler = make_sampler(deck_.at("sampler"));
    Index const draws = std::max<Index>(0, (options.steps - options.warmup) / options.thin);
    on_ranks(sampling_tiling(options, *model_, *sampler), [&](Share const& share) {
      Chains("chains", share.tiling, share.mine(), model_->dimension(), Arrays(held_));
      SamplingScalars(Arrays(held_), share);
      if (sampler->adjusted()) RejectionRuns(share.tiling, share.mine(), Arrays(held_));
      model_->work(Arrays(held_).in("model"), tiles_in_flight(share.mine().count), share.tiling.width);
      list_moves(share, 1);
      list_draws(chains_format(output(), share, model_->dimension(), sampling_statistics(if_can<EnergyModel>(model_.get()) != nullptr)));
      list_read_back(share, draws);
    });
    double const chain_steps = double(options.chains) * double(options.steps);
    double const evaluations = chain_steps * sampler->evaluations_per_step();
    notes_ += fmt::format("# cost: {:.4g} chain-steps, {}; files: {} of samples in {} draws\n", chain_steps,
                          std::isfinite(evaluations) ? fmt::format("{:.4g} energy evaluations", evaluations)
                                                     : "of which each has as many energy evaluations as the warm-up finds best",
                          readable_bytes(double(draws) * double(options.chains) * double(model_->dimension() * 4 + 13)), draws);
  }

  // The sampler's arrays for so many sets of chains.
  void list_moves(Share const& share, Index sets) {
    auto const sampler = make_sampler(deck_.at("sampler"));
    if (!sampler) return;
    for (Index set = 0; set < (sampler->rungs() > 1 ? sets : 1); set++) sampler->list(Arrays(held_).in("sampler"), *model_, share);
  }

  void list_generation() {
    ArrayList unused;
    auto const laid = list_generator(deck_, 0, int(ranks_), *model_, Arrays(unused), Arrays(unused));
    on_ranks(laid.tiling, [&](Share const& share) {
      list_generator(deck_, share.rank, share.ranks, *model_, Arrays(held_), Arrays(finishing_));
      SampleFormat format{share.tiling, share.mine(), {}, {}, 1};
      for (auto const& v : laid.variables) format.posterior.push_back({v.name, v.size});
      for (Index s = 0; s < laid.statistics; s++) format.statistics.push_back({"", StoredAs::real64, ""});
      list_draws(format);
      list_read_back(share, 1);
    });
  }

  OutputOptions output() const { return deck_.at("output").as<OutputOptions>(); }

  void list_draws(SampleFormat const& format) {
    SampleWriter::list(Arrays(held_), format);
    Index widest = 0;
    for (auto const& v : format.posterior) widest = std::max(widest, v.size * Index(sizeof(Real)));
    Index const of_chain = format.draws_per_part * std::max<Index>(widest, format.statistics.empty() ? 0 : 8);
    Index const chains = format.mine.count * format.tiling.width;
    Index const part = rows_of_stripe(chains, of_chain, chains_of_chunk(format.tiling, of_chain)) * of_chain;
    list_stripe(std::max(part, std::min(parameter_count(*model_) * Index(sizeof(Real)), bytes_of_stripe)));
  }
  void list_stripe(Index bytes) { Arrays(writing_).count<char>("rows of an array that are written at once", bytes); }

  // Samples that estimators and the verdict on convergence read back: of a run whose estimators do not look at them, some (evaluation.cpp).
  void list_read_back(Share const& share, Index draws) {
    bool const looks = looks_at_samples(deck_), judges = deck_.task == "sample" || asks_for_convergence(deck_);
    if (draws == 0 || (!looks && deck_.task != "sample")) return;
    Index const d = model_->dimension(), all = share.tiling.chains, here = share.mine().count * share.tiling.width;
    Index const judged = looks ? all : chains_judged(all, draws, d);
    Arrays(finishing_).count<float>("samples read back", std::min(here, judged), draws, d);
    Arrays(finishing_).count<double>("energies read back", std::min(here, judged), draws);
    // Its values, those of both halves, their order, ranks, and what is made of these.
    if (judges) Arrays(finishing_).count<double>("a series whose convergence is judged", 7, judged, draws);
  }

  void list_estimators() {
    for (deck::Block const* block : deck_.all("estimator"))
      if (auto const& list = named(estimators(), block->type).list)
        list({*block, model_.get(), data_ ? &*data_ : nullptr, ranks_, Arrays(finishing_).in(block->type)});
  }

  void note_cost_of_training() {
    auto const train = deck_.at("train").as<TrainOptions>();
    double const updates = double(train.updates), batch = double(train.batch);
    auto const* sampler = given(deck_, "sampler");
    if (!sampler || deck_.at("objective").type == "reverse_kl") return;
    if (auto const* hee = if_can<Hee>(model_.get())) {
      auto const o = deck_.at("objective").as<HeeLocalOptions>();
      double const steps = updates * double(o.steps_per_update) * (1 + double(o.warmup) / double(o.steps_per_batch));
      HeeLangevin const dynamics(sampler->as<HeeLangevinOptions>(), *hee);
      notes_ += fmt::format("# cost: {:.4g} chain-steps, {:.3g} GFLOP in matrix products\n", steps * batch,
                            1e-9 * steps * batch * dynamics.flops_per_step(true));
      return;
    }
    auto const k = double(deck_.at("objective").as<ContrastiveOptions>().sampler_steps);
    notes_ += fmt::format("# cost: {:.4g} chain-steps in {:.0f} updates", updates * k * batch, updates);
    if (auto const* differentiable = if_can<DifferentiableModel>(model_.get()))
      notes_ += fmt::format(", {:.3g} GFLOP in matrix products", 1e-9 * updates * batch * differentiable->flops_per_evaluation() * (k + 3));
    notes_ += "\n";
  }

  static std::string line(std::string const& what, std::string const& extents, double bytes) {
    return fmt::format("# {:<58} {:>24} {:>10}\n", what, extents, readable_bytes(bytes));
  }
  static std::string lines(ArrayList const& list) {
    std::string out;
    for (ArrayList::Line const& l : list.lines()) out += line(l.name, fmt::format("({})", fmt::join(l.extents, ", ")), l.bytes);
    return out;
  }

  static std::string part(std::string const& when, ArrayList const& list) {
    return list.lines().empty() ? "" : fmt::format("# {}:\n", when) + lines(list);
  }

  // What is held all the time, and at most the largest of what is needed now and then.
  std::string table() const {
    std::string out = lines(of_data_) + part("while they are read", reading_) + part("all the time", held_);
    double most = 0;
    for (auto const& [when, list] : {std::pair{"while a row of the history is made", &recording_},
                                     {"while files are written", &writing_},
                                     {"at the end, for samples and estimators", &finishing_}}) {
      out += part(when, *list);
      most = std::max(most, list->bytes());
    }
    return out + line("total, at the most", "", of_data_.bytes() + std::max(reading_.bytes(), held_.bytes() + most));
  }

  deck::Document const& deck_;
  Index ranks_;
  ArrayList of_data_, reading_;  // and what is needed beside them while they are read, before all that follows
  ArrayList held_, recording_, writing_, finishing_;
  std::optional<data::Size> data_;
  std::unique_ptr<Model> model_;
  std::string notes_;
};

}  // namespace

std::string memory_estimate(deck::Document const& deck, Index ranks) { return MemoryTable(deck, ranks).text(); }

}  // namespace partita
