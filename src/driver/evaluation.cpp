#include "driver/evaluation.hpp"

#include <algorithm>
#include <cmath>

#include "core/log.hpp"
#include "driver/registry.hpp"
#include "estimators/convergence.hpp"
#include "estimators/finished.hpp"
#include "estimators/point_values.hpp"
#include "estimators/rounding.hpp"
#include "io/crc32c.hpp"
#include "io/sample_reader.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

// The name, with a number appended where an earlier estimator has used it.
std::string free_name(std::vector<Metric> const& taken, std::string const& name) {
  auto const is_taken = [&](std::string const& n) {
    return std::any_of(taken.begin(), taken.end(), [&](Metric const& m) { return m.name == n; });
  };
  std::string found = name;
  for (int k = 2; is_taken(found); k++) found = fmt::format("{}_{}", name, k);
  return found;
}

// Whether the estimator reads a file that may change before the run is continued.
bool reads_a_reference(deck::Block const& estimator) {
  auto const* reference = estimator.find("reference");
  return reference && reference->value != deck::Value(std::string());
}

// `samples` is null where there are none.
Results compute(Evaluation const& evaluation, SampleSet const* samples) {
  Results out;
  RunContext const& run = evaluation.context;
  SampleSet const none{run.ranks, {}, {}, 0, 0, {}, {}};
  FinishedEstimators finished(run.ranks, run.directory, run.deck, run.inputs, run.provenance);
  Subject const subject{run.deck,           run.key,         samples ? *samples : none,           evaluation.model,
                        evaluation.sampler, evaluation.data, [&run] { return make_target(run); }, run.directory,
                        run.provenance};
  for (deck::Block const* block : run.deck.all("estimator")) {
    EstimatorEntry const& entry = named(estimators(), block->type);
    if (entry.looks_at == LooksAt::samples && !samples) {
      out.warnings.push_back(fmt::format("[[estimator]] {} needs samples, but there are none: left out", block->type));
      continue;
    }
    auto found = finished.find(*block);
    if (!found) {
      found = entry.compute(subject, *block);
      if (!reads_a_reference(*block)) finished.add(*block, *found), run.gain.made = true;
    } else {
      log::info("[[estimator]] {}: found before the run was stopped", block->type);
    }
    for (Metric& m : *found) {
      m.name = free_name(out.metrics, m.name);
      out.metrics.push_back(std::move(m));
    }
  }
  return out;
}

Tiling first_chains(Communicator const& ranks, RunDirectory const& directory, Tiling const& tiling) {
  Index chains = 0;
  together(ranks, [&] {
    SampleReader const reader(directory.root());
    chains = chains_judged(tiling.chains, reader.draws(), reader.dimension());
  });
  return {chains, tiling.width};
}

bool holds_units(deck::Document const& deck) {
  deck::Block const* block = deck.find("clamp");
  return block && block->given;
}

// Runs the estimators of a run, and judges whether its chains have converged.
Results judge(Evaluation const& e, Tiling const& tiling, Index draws) {
  RunContext const& context = e.context;
  bool const samples_chains = context.options.task == "sample";
  if (context.deck.all("estimator").empty() && !samples_chains) return {};
  bool const has_samples = context.ranks.all(std::filesystem::exists(context.directory.all_samples()));
  if (!has_samples) return compute(e, nullptr);
  SampleSet samples{context.ranks, {}, {}, 0, 0, {}, {}};
  auto const read = [&](Tiling const& part) {
    together(context.ranks, [&] { samples = read_samples(context.ranks, SampleReader(context.directory.root()), part, draws); });
  };
  Results out;
  if (looks_at_samples(context.deck)) {
    read(tiling);
    out = compute(e, &samples);
  } else {
    out = compute(e, nullptr);
  }
  bool const judges = !holds_units(context.deck) && (!e.sampler || e.sampler->stationary());
  if (samples_chains && !asks_for_convergence(context.deck) && judges) {
    if (!looks_at_samples(context.deck)) read(first_chains(context.ranks, context.directory, tiling));
    double const copies = double(tiling.chains) / double(samples.tiling.chains);
    for (std::string& w : convergence_warnings(samples, e.model, copies)) out.warnings.push_back(std::move(w));
  }
  if (samples_chains && samples.draws > 0)
    if (std::string const w = rounding_warning(samples); !w.empty()) out.warnings.push_back(w);
  return out;
}

}  // namespace

Index chains_judged(Index chains, Index draws, Index dimension) {
  constexpr Index most_numbers = Index{1} << 24, most_draws = Index{1} << 19;
  Index const of_numbers = most_numbers / std::max<Index>(1, draws * dimension), of_draws = most_draws / std::max<Index>(1, draws);
  return std::clamp(std::min(of_numbers, of_draws), std::min<Index>(4, chains), chains);
}

bool asks_for_convergence(deck::Document const& deck) {
  auto const blocks = deck.all("estimator");
  return std::any_of(blocks.begin(), blocks.end(), [](deck::Block const* b) { return b->type == "convergence"; });
}

bool looks_at_samples(deck::Document const& deck) {
  auto const blocks = deck.all("estimator");
  return std::any_of(blocks.begin(), blocks.end(),
                     [](deck::Block const* b) { return named(estimators(), b->type).looks_at == LooksAt::samples; });
}

deck::Section input_section() {
  using O = InputOptions;
  return {.name = "input",
          .doc = "the points that an estimate looks at",
          .common = {deck::key("path", &O::path, "run directory, sample file, or any HDF5 file").required(),
                     deck::key("dataset", &O::dataset, "dataset of points (n, d) in that file; empty: the samples of a run")},
          .tasks = {"estimate"}};
}

deck::Section estimator_section() {
  deck::Section s{
      .name = "estimator", .doc = "numbers at the end of a run, into summary.json", .repeated = true, .on_restart = deck::OnRestart::free};
  for (auto const& e : estimators()) {
    s.types.push_back(e.schema);
    for (deck::Key& k : s.types.back().keys) k.free_on_restart();
  }
  return s;
}

void Evaluation::add_warnings_of_data(Results& results) const {
  if (data) results.warnings.insert(results.warnings.begin(), data->warnings().begin(), data->warnings().end());
}

Results Evaluation::of_run(Tiling const& tiling, Index draws) const {
  Results out = judge(*this, tiling, draws);
  add_warnings_of_data(out);
  if (int const order = sampler ? sampler->order_of_bias() : 0; order > 0)
    out.not_examined.emplace_back(
        "the sampler has no acceptance test, so that the distribution of its chains differs from exp(-E) by an amount that decreases " +
        std::string(order == 1 ? "in proportion to its step size" : "with the square of its step size") + "; compare with " +
        std::string(sampler->adapts()
                        ? "a sampler.energy_error_variance 64 times as small, for which the warm-up halves the step, or with mams"
                        : "half the sampler.step_size, or with mala"));
  if (context.options.task == "train")
    out.not_examined.emplace_back("whether the training has converged: look at its curves (partita-post plot, history.h5)");
  if (context.options.task == "train" && looks_at_samples(context.deck))
    out.not_examined.emplace_back(
        "convergence: estimators of samples use the chains as training has left them, which need not be samples of exp(-E) yet; "
        "for those, sample the model (task = \"sample\" with model.from = this run)");
  if (context.options.task == "sample" && holds_units(context.deck) && !asks_for_convergence(context.deck))
    out.not_examined.emplace_back("convergence: chains with different held units have different distributions, which R-hat would compare");
  if (context.options.task == "sample" && sampler && !sampler->stationary() && !asks_for_convergence(context.deck))
    out.not_examined.emplace_back("convergence: the draws are end points of annealing, whose chains have no stationary distribution");
  return out;
}

Results Evaluation::of_input() const {
  deck::Block const* block = context.deck.find("input");
  if (!block || !block->given) {
    Results out = compute(*this, nullptr);
    add_warnings_of_data(out);
    return out;
  }
  auto const o = block->as<InputOptions>();
  SampleSet samples{context.ranks, {}, {}, 0, 0, {}, {}};
  std::vector<double> exact;  // the same points in double precision, where the file has them so
  std::string where;
  bool weighted = false;
  together(context.ranks, [&] {
    SampleReader const reader(o.path, o.dataset);
    weighted = reader.has_statistic("log_weight");
    samples = read_samples(context.ranks, reader, {reader.chains(), pitch_quantum}, 0);
    where = reader.where();
    if (!reader.fits_single_precision()) exact = reader.read<double>(samples.first_chain_here(), samples.chains_here());
    if (!model) return;
    require(model->dimension() == reader.dimension(), ExitCode::data, "{}: points of dimension {}, but the model has dimension {}",
            reader.where(), reader.dimension(), model->dimension());
    auto* const energy_model = if_can<EnergyModel>(model);
    if (!energy_model) return;
    samples.has_energy = true;
    samples.energy = energies(*energy_model, {samples.x.begin(), samples.x.end()});
    auto const bad = std::find_if(samples.energy.begin(), samples.energy.end(), [](double e) { return !std::isfinite(e); });
    require(bad == samples.energy.end(), ExitCode::numerical,
            "{}: the energy of point {} is {}, which exceeds the number range of this build; leave out points so far from the rest",
            reader.where(), samples.first_chain_here() + (bad - samples.energy.begin()) / std::max<Index>(1, samples.draws), *bad);
  });
  auto const mine = Index(crc32c(samples.x.data(), samples.x.size() * sizeof(float)));
  context.inputs.add("input", o.path, std::uint64_t(context.ranks.all_reduce(mine, Reduction::sum)));
  Results out = compute(*this, &samples);
  if (weighted && looks_at_samples(context.deck)) out.warnings.emplace_back(weights_left_out);
  add_warnings_of_data(out);
  std::string lost = rounding_warning(where, exact, samples);
  if (lost.empty()) lost = rounding_warning(samples);
  if (!lost.empty()) out.warnings.push_back(lost);
  if (asks_for_convergence(context.deck)) return out;
  if (samples.draws > 1)
    for (std::string& w : convergence_warnings(samples, model, 1)) out.warnings.push_back(std::move(w));
  else out.not_examined.emplace_back("convergence: the points of [input] are taken as independent draws, since their chains are not known");
  return out;
}

}  // namespace partita
