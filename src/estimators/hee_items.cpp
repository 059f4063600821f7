// Estimators of hierarchical exponential-family models about items of [data]: their likelihood, and what the latent layers keep of them.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/require.hpp"
#include "estimators/entry.hpp"
#include "estimators/hee_annealing.hpp"
#include "estimators/hee_likelihood.hpp"
#include "estimators/hee_reconstruction.hpp"
#include "io/together.hpp"
#include "models/items.hpp"

namespace partita {
namespace {

// Selects items of [data].
struct ItemOptions {
  std::string split;
  Index items = 1000;
};
struct LikelihoodOptions {
  std::string method = "automatic";
};

Hee const& model_of(Subject const& s) { return as<Hee const>(*s.model); }

constexpr std::array<std::pair<char const*, data::Split>, 3> splits{
    {{"test", data::Split::test}, {"validation", data::Split::validation}, {"train", data::Split::train}}};

struct Items {
  std::string split;
  Index count;
  std::vector<double> points;  // (item, n_0)
};

// The requested split, or the first one that has items.
std::pair<char const*, data::Split> split_of(ItemOptions const& o, data::Dataset const& data) {
  return *std::find_if(splits.begin(), splits.end(),
                       [&](auto const& e) { return o.split.empty() ? data.size(e.second) > 0 : o.split == e.first; });
}

void has_items(Fit const& fit) {
  auto const* const data = fit.data();
  if (!data || !fit.model) return;
  fit.attempt([&] { require_width(*data, *fit.model); });
  if (auto const [name, split] = split_of(fit.own.as<ItemOptions>(), *data); data->size(split) == 0)
    fit.refuse("split", fmt::format("estimator.split = \"{}\" has no items ({}); set data.{}_fraction, or use another split", name,
                                    data->source(), name));
}

// The first items of the requested split, or of the first one that has any.
Items items_of(Subject const& s, deck::Block const& block) {
  auto const o = block.as<ItemOptions>();
  auto const* data = s.data;
  Index const d = data->dimension();
  auto const [name, split] = split_of(o, *data);
  Index const available = data->size(split), count = o.items > 0 ? std::min(o.items, available) : available;
  Items out{name, count, std::vector<double>(count * d)};
  for (Index i = 0; i < count; i++) data->values(data->item(split, i), out.points.data() + i * d);
  return out;
}

// The number of items, from the sizes of [data] alone.
Index list_items(EstimatorListing const& l) {
  Index const asked = l.block.as<ItemOptions>().items, available = l.data->test_rows > 0 ? l.data->test_rows : l.data->rows;
  Index const items = asked > 0 ? std::min(asked, available) : available;
  l.arrays.count<double>("items", items, l.model->dimension());
  return items;
}

std::vector<deck::Key> item_keys() {
  using O = ItemOptions;
  return {deck::key("split", &O::split, "which items of [data]; left out: test, or validation where there are no test items, or train")
              .one_of({"test", "validation", "train"}),
          deck::key("items", &O::items, "number of items, from the first on; 0: all").at_least(0)};
}
std::vector<deck::Key> with_item_keys(std::vector<deck::Key> keys) {
  auto all = item_keys();
  all.insert(all.end(), keys.begin(), keys.end());
  return all;
}

// Mean and covariance of the training items; only the root holds all of them in double.
MultivariateNormal training_moments(Subject const& s) {
  Index const d = s.data->dimension();
  MultivariateNormal m{std::vector<double>(d), Matrix(d, d)};
  on_root(s.samples.ranks, [&] { m = moments(s.data->points(data::Split::train), d); });
  s.samples.ranks.broadcast(m.mean.data(), m.mean.size() * sizeof(double));
  s.samples.ranks.broadcast(m.covariance.values.data(), m.covariance.values.size() * sizeof(double));
  return m;
}

std::vector<double> training_mean(data::Dataset const& data) {
  Index const n = data.size(data::Split::train);
  std::vector<double> x(data.dimension()), mean(x.size(), 0);
  for (Index i = 0; i < n; i++) {
    data.values(data.item(data::Split::train, i), x.data());
    for (std::size_t k = 0; k < x.size(); k++) mean[k] += x[k] / double(n);
  }
  return mean;
}

// ---- Log-likelihood ----

// Comparison with probabilistic PCA, the optimum for a linear model, where that is known.
void compare_with_optimum(Subject const& s, Items const& items, std::vector<double> const& learnt, Metrics& out) {
  Hee const& model = model_of(s);
  auto const optimum = log_density(likelihood_optimum(training_moments(s), model.width(1)), items.points);
  std::vector<double> gap;
  for (std::size_t i = 0; i < optimum.size(); i++) gap.push_back(learnt[i] - optimum[i]);
  out.push_back(metric("log_likelihood_optimum_" + items.split, mean_and_error(optimum),
                       fmt::format("mean log p(x_0) of the items in nats under the best Gaussian with noise 1/2 and {} factors for the "
                                   "training items' mean and covariance (probabilistic PCA)",
                                   model.width(1))));
  out.push_back(metric("log_likelihood_gap", mean_and_error(gap),
                       "mean log p(x_0) of the items in nats under the model, less that under the best Gaussian (log_likelihood_optimum)"));
}

Metrics exactly(Subject const& s, Items const& items) {
  Hee const& model = model_of(s);
  auto const values = log_density(layer_marginals(model.host_layers()).front(), items.points);
  Metrics out{metric("log_likelihood_" + items.split, mean_and_error(values),
                     fmt::format("mean log p(x_0) of {} items in nats, exact; error over items", items.count))};
  if (model.gaussian_conditionals()) compare_with_optimum(s, items, values, out);
  return out;
}

Metrics by_annealing(Subject const& s, Items const& items, HeeAnnealingOptions const& o) {
  auto const found = annealed_likelihood(model_of(s), items.points, o, s.samples.ranks, s.key);
  auto const mean = mean_of_logs(found.points);
  return {
      metric("log_likelihood_" + items.split, mean.value,
             fmt::format("mean log p(x_0) of {} items in nats by annealed importance sampling, which is too low on average; error over "
                         "items, that of the sampling included",
                         items.count),
             doubt(mean, "use more estimator.temperatures or estimator.chains")),
      {"log_likelihood_sampling_error",
       mean.sampling_error,
       {},
       "part of the error of log_likelihood that more chains or temperatures reduce"},
      {"log_likelihood_effective_chains",
       mean.effective,
       {},
       fmt::format(
           "share of the {} chains of an item that count in its weights, the effective number over all; near 1 / {}: too few temperatures",
           o.chains, o.chains)},
      {"log_likelihood_pareto_k", mean.tail_index, {}, "tail index of the items' weights, on average; above 0.7 no error is known"},
      {"log_likelihood_acceptance", found.acceptance, {}, "share of the Hamiltonian steps of annealing that were accepted"}};
}

void fits_likelihood(Fit const& fit) {
  has_items(fit);
  auto const* const model = if_can<Hee>(fit.model);
  if (model && fit.own.as<LikelihoodOptions>().method == "exact" && !model->linear_gaussian())
    fit.refuse("method",
               "estimator.method = \"exact\" needs a linear-Gaussian hee (model.activation = \"identity\", statistic = \"identity\", "
               "base_measure = \"quadratic\" or \"lateral\"); use \"ais\"");
}

bool is_exact(deck::Block const& block, Hee const& model) {
  std::string const method = block.as<LikelihoodOptions>().method;
  return method == "exact" || (method == "automatic" && model.linear_gaussian());
}

Metrics log_likelihood(Subject const& s, deck::Block const& block) {
  Items const items = items_of(s, block);
  return is_exact(block, model_of(s)) ? exactly(s, items) : by_annealing(s, items, block.as<HeeAnnealingOptions>());
}

void list_exactly(EstimatorListing const& l, Hee const& model) {
  auto const widths = widths_of(model);
  Index const widest = *std::max_element(widths.begin(), widths.end());
  list_host_layers(l.arrays, widths);
  // The training items' covariance, its eigenvectors, and the product that the optimum is (hee_likelihood.cpp).
  l.arrays.count<double>("covariances of a layer", 7, widest, widest);
  if (model.gaussian_conditionals())
    l.arrays.on_one_rank().count<double>("training items, on the root", l.data->rows - l.data->test_rows, model.dimension());
}

void list_likelihood(EstimatorListing const& l) {
  if (!l.data) return;
  auto const& model = as<Hee const>(*l.model);
  Index const items = list_items(l);
  if (is_exact(l.block, model)) list_exactly(l, model);
  else list_annealed_likelihood(l.arrays, model, l.block.as<HeeAnnealingOptions>(), items);
}

// ---- Reconstruction ----

Estimate mean_square(std::vector<double> const& differences, Index d) {
  std::vector<double> of_items(differences.size() / std::size_t(d), 0);
  for (std::size_t i = 0; i < differences.size(); i++) of_items[i / std::size_t(d)] += differences[i] * differences[i] / double(d);
  return mean_and_error(of_items);
}

HeeLangevinOptions dynamics_of(deck::Block const& block, Hee const& model) {
  auto dynamics = block.as<HeeLangevinOptions>();
  dynamics.statistic_mean = model.gaussian_conditionals() ? "closed_form" : "interneuron";
  return dynamics;
}

void fits_reconstruction(Fit const& fit) {
  has_items(fit);
  fit.attempt([&] { require_fit(fit.own.as<ReconstructionOptions>()); });
  fit.attempt_on<Hee>([&](Hee const& model) { HeeLangevin(dynamics_of(fit.own, model), model); });
}

void list_reconstruction(EstimatorListing const& l) {
  if (!l.data) return;
  auto const& model = as<Hee const>(*l.model);
  list_reconstruct(l.arrays, model, dynamics_of(l.block, model), list_items(l), l.ranks);
}

Metrics reconstruction(Subject const& s, deck::Block const& block) {
  Hee const& model = model_of(s);
  Items items = items_of(s, block);
  auto const found = reconstruct(model, dynamics_of(block, model), items.points, block.as<ReconstructionOptions>(), s.samples.ranks, s.key);
  Index const d = model.dimension();
  auto centre = training_mean(*s.data);
  if (model.phi() == Statistic::tanh)  // what is reconstructed is phi(x_0)
    for (auto* values : {&items.points, &centre})
      for (double& v : *values) v = std::tanh(v);
  std::vector<double> residual = items.points, deviation = items.points;
  for (std::size_t i = 0; i < residual.size(); i++) residual[i] -= found[0][i], deviation[i] -= centre[i % centre.size()];
  write_estimate(s, "reconstructions", [&](hdf5::File const& file) {
    auto const& shape = s.data->shape();
    auto const write = [&](std::string const& name, std::vector<double> const& values, Index width, bool image) {
      auto const dataset = file.create_dataset(name, hdf5::native_type<float>(), {items.count, width});
      dataset.write(values);
      if (image && shape.size() >= 2) dataset.set_attribute("image_shape", shape);
    };
    write("x", items.points, d, true);
    write("reconstruction", found[0], d, true);
    for (Index l = 1; l <= model.layers(); l++) write(fmt::format("posterior_mean/layer{}", l), found[l], model.width(l), false);
  });
  auto const error = mean_square(residual, d), baseline = mean_square(deviation, d);
  std::string const what = model.phi() == Statistic::tanh ? "phi(x_0)" : "x_0";
  return {metric("reconstruction_error", error,
                 fmt::format("mean square per coordinate of {} - E[A'(eta_0) | x_0], over {} {} items", what, items.count, items.split)),
          metric("reconstruction_baseline", baseline, "mean square per coordinate of the items' deviation from the training mean")};
}

}  // namespace

EstimatorEntry log_likelihood_estimator() {
  using L = LikelihoodOptions;
  using A = HeeAnnealingOptions;
  return {
      {"log_likelihood",
       "mean log p(x_0) of held-out items under an hee: exact for its linear-Gaussian members, else by annealed importance sampling",
       with_item_keys(
           {deck::key("method", &L::method, "exact; ais, annealed importance sampling; automatic, exact where there is a closed form")
                .one_of({"automatic", "exact", "ais"}),
            deck::key("temperatures", &A::temperatures,
                      "ais: number of temperatures from p(x_1:L) to the posterior, with one Hamiltonian step at each; more of them have "
                      "less bias")
                .at_least(2),
            deck::key("chains", &A::chains, "ais: number of chains for each item").at_least(2)})},
      log_likelihood,
      LooksAt::model_or_data,
      needs<Hee>(),
      true,
      fits_likelihood,
      list_likelihood};
}
EstimatorEntry reconstruction_estimator() {
  using D = HeeLangevinOptions;
  using R = ReconstructionOptions;
  return {
      {"reconstruction", "posterior means of an hee's latent layers given items, and what they expect of x_0: estimates/reconstructions.h5",
       with_item_keys(
           {deck::key("step_size", &D::step_size, "time step dt of the second-order dynamics").above(0).in("tau"),
            deck::key("tau_u", &D::tau_u, "time constant of the fast neurons u, where A'(eta) has no closed form").above(0).in("tau"),
            deck::key("replicas", &D::replicas, "number of fast neurons for each unit, which are averaged").at_least(1),
            deck::key("duration", &R::duration, "time that the dynamics runs").above(0).in("tau"),
            deck::key("average_over", &R::average_over, "last part of the duration, over which the layers are averaged")
                .above(0)
                .in("tau")})},
      reconstruction,
      LooksAt::model_or_data,
      needs<Hee>(),
      true,
      fits_reconstruction,
      list_reconstruction};
}

}  // namespace partita
