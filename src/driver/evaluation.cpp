#include "driver/evaluation.hpp"

#include <algorithm>
#include <cmath>

#include "core/log.hpp"
#include "data/load.hpp"
#include "data/rounding.hpp"
#include "driver/estimator.hpp"
#include "driver/finished_estimators.hpp"
#include "driver/units.hpp"
#include "estimators/distances.hpp"
#include "io/collective_file.hpp"
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
  SampleSet const none{evaluation.context.ranks, {}, {}, 0, 0, {}, {}};
  FinishedEstimators finished(evaluation.context);
  for (deck::Block const* block : evaluation.context.deck.all("estimator")) {
    EstimatorEntry const& entry = estimator_named(block->type);
    if (entry.looks_at == LooksAt::samples && !samples) {
      out.warnings.push_back(fmt::format("[[estimator]] {} needs samples, but there are none: left out", block->type));
      continue;
    }
    auto found = finished.find(*block);
    if (!found) {
      found = entry.compute({evaluation, samples ? *samples : none}, *block);
      if (!reads_a_reference(*block)) finished.add(*block, *found);
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

Index first_chain_here(SampleSet const& s) { return std::min(s.tiling.first_chain(s.mine.first), s.tiling.chains); }

// This rank's chains of a file, (chain, draw, dimension), the last `draws` of them.
SampleSet read_samples(Communicator const& ranks, SampleReader const& reader, Tiling const& tiling, Index draws) {
  SampleSet s{ranks, tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()), reader.draws(), reader.dimension(), {}, {}};
  Index const first = first_chain_here(s), count = s.chains_here();
  s.x = reader.read<float>(first, count);
  s.has_energy = reader.has_statistic("energy");
  if (s.has_energy) s.energy = reader.read_statistic("energy", first, count);
  if (draws == 0 || draws >= s.draws) return s;
  SampleSet last{ranks, tiling, s.mine, draws, s.dimension, {}, {}, s.has_energy};
  for (Index c = 0; c < count; c++) {
    last.x.insert(last.x.end(), s.point(c, s.draws - draws), s.point(c, s.draws - 1) + s.dimension);
    for (Index d = s.draws - draws; d < s.draws && s.has_energy; d++) last.energy.push_back(s.energy_of(c, d));
  }
  return last;
}

// Points of a file in double precision are stored in single; a warning where that loses more than noise. Collective.
std::string loss_by_reading(std::string const& where, std::vector<double> const& exact, SampleSet const& samples) {
  auto const d = static_cast<std::size_t>(samples.dimension);
  auto const both = [&](Index i, double* as_read, double* held) {
    auto const at = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(i) * d);
    std::copy_n(exact.begin() + at, d, as_read);
    std::copy_n(samples.x.begin() + at, d, held);
  };
  auto const over_ranks = [&](std::vector<double>& values, Reduction how) { samples.ranks.all_reduce(values, how); };
  std::string const found =
      data::rounding_warning(where, data::rounding_errors({static_cast<Index>(exact.size() / d), samples.dimension, both}, over_ranks));
  return found.empty() ? found : found + "; subtract each entry's mean before the points are written";
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
  if (!has_samples) {
    Results out = compute(e, nullptr);
    if (samples_chains)
      out.warnings.insert(
          out.warnings.begin(),
          "0 draws were kept: sampler.thin steps must pass after sampler.warmup; use more sampler.steps, a smaller thin or a "
          "shorter warmup");
    return out;
  }
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
    double const copies = static_cast<double>(tiling.chains) / static_cast<double>(samples.tiling.chains);
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
                     [](deck::Block const* b) { return estimator_named(b->type).looks_at == LooksAt::samples; });
}

std::vector<EstimatorEntry> const& estimators() {
  static std::vector<EstimatorEntry> const table = [] {
    std::vector<EstimatorEntry> all;
    for (auto const& group : {sample_estimators(), model_estimators(), flow_estimators(), hee_item_estimators(), hee_model_estimators(),
                              machine_estimators(), likelihood_estimators(), hopfield_estimators(), ratings_estimators()})
      all.insert(all.end(), group.begin(), group.end());
    return all;
  }();
  return table;
}

EstimatorEntry const& estimator_named(std::string const& type) {
  return *std::find_if(estimators().begin(), estimators().end(), [&](auto const& e) { return e.schema.type == type; });
}

void write_estimate(Subject const& s, std::string const& name, std::function<void(hdf5::File const&)> const& content) {
  on_root(s.samples.ranks, [&] {
    write_alone(s.evaluation.context.directory.estimate(name), [&](hdf5::File const& file) {
      describe(file, s.evaluation.context.provenance);
      content(file);
    });
  });
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

double validation_distance(Communicator const& ranks, std::vector<Chains> const& generations, data::Dataset const& data, Index points) {
  Index const d = data.dimension();
  std::vector<double> chains;
  for (Chains const& g : generations) {
    if (static_cast<Index>(chains.size()) >= points * d) break;
    auto const x = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), g.x);
    std::vector<double> mine;
    for (Index t = 0; t < g.mine.count; t++)
      for (Index l = 0; l < g.tiling.chains_in(g.mine.first + t); l++)
        for (Index i = 0; i < d; i++) mine.push_back(x(t, i, l));
    auto const all = ranks.all_gather(mine);
    chains.insert(chains.end(), all.begin(), all.end());
  }
  Index const available = data.size(data::Split::validation);
  std::vector<double> items(static_cast<std::size_t>(std::min(points, available) * d));
  for (Index i = 0; i < std::min(points, available); i++) data.values(data.item(data::Split::validation, i), items.data() + i * d);
  chains.resize(std::min(chains.size(), static_cast<std::size_t>(points * d)));
  return squared_energy_distance(ranks, chains, items, d);
}

void Evaluation::add_warnings_of_data(Results& results) const {
  if (data) results.warnings.insert(results.warnings.begin(), data->warnings().begin(), data->warnings().end());
}

Results Evaluation::of_run(Tiling const& tiling, Index draws) const {
  Results out = judge(*this, tiling, draws);
  add_warnings_of_data(out);
  if (sampler && sampler->biased())
    out.not_examined.push_back(
        "the sampler has no acceptance test, so that the distribution of its chains differs from exp(-E) by an amount that decreases with "
        "sampler.step_size; compare with half the step, or with mala");
  if (context.options.task == "train" && looks_at_samples(context.deck))
    out.not_examined.push_back(
        "convergence: estimators of samples use the chains as training has left them, which need not be samples of exp(-E) yet; "
        "for those, sample the model (task = \"sample\" with model.from = this run)");
  if (context.options.task == "sample" && holds_units(context.deck) && !asks_for_convergence(context.deck))
    out.not_examined.push_back("convergence: chains with different held units have different distributions, which R-hat would compare");
  if (context.options.task == "sample" && sampler && !sampler->stationary() && !asks_for_convergence(context.deck))
    out.not_examined.push_back("convergence: the draws are end points of annealing, whose chains have no stationary distribution");
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
    if (!reader.fits_single_precision()) exact = reader.read<double>(first_chain_here(samples), samples.chains_here());
    if (!model) return;
    require(model->dimension() == reader.dimension(), ExitCode::data, "{}: points of dimension {}, but the model has dimension {}",
            reader.where(), reader.dimension(), model->dimension());
    require_points_of_units(samples.x, reader.dimension(), reader.where(), *model);
    auto* const energy_model = if_can<EnergyModel>(model);
    if (!energy_model) return;
    samples.has_energy = true;
    samples.energy = energies(*energy_model, {samples.x.begin(), samples.x.end()});
    auto const bad = std::find_if(samples.energy.begin(), samples.energy.end(), [](double e) { return !std::isfinite(e); });
    require(bad == samples.energy.end(), ExitCode::numerical,
            "{}: the energy of point {} is {}, which exceeds the number range of this build; leave out points so far from the rest",
            reader.where(), first_chain_here(samples) + (bad - samples.energy.begin()) / std::max<Index>(1, samples.draws), *bad);
  });
  auto const mine = Index(crc32c(samples.x.data(), samples.x.size() * sizeof(float)));
  context.inputs.add("input", o.path, static_cast<std::uint64_t>(context.ranks.all_reduce(mine, Reduction::sum)));
  Results out = compute(*this, &samples);
  if (weighted && looks_at_samples(context.deck)) out.warnings.push_back(weights_left_out);
  add_warnings_of_data(out);
  std::string lost = loss_by_reading(where, exact, samples);
  if (lost.empty()) lost = rounding_warning(samples);
  if (!lost.empty()) out.warnings.push_back(lost);
  if (asks_for_convergence(context.deck)) return out;
  if (samples.draws > 1)
    for (std::string& w : convergence_warnings(samples, model, 1)) out.warnings.push_back(std::move(w));
  else out.not_examined.push_back("convergence: the points of [input] are taken as independent draws, since their chains are not known");
  return out;
}

}  // namespace partita
