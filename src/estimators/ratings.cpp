#include "estimators/ratings.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/require.hpp"
#include "estimators/entry.hpp"
#include "estimators/hee_likelihood.hpp"
#include "models/items.hpp"
#include "models/softmax_rbm.hpp"

namespace partita {
namespace {

std::size_t at(Index i) { return std::size_t(i); }

// The mean of f over the ratings, with the standard error from sums over users.
template <class Function>
Estimate mean_over_users(std::vector<Rating> const& truth, Function const& f) {
  auto const n = double(truth.size());
  Estimate out{};
  for (std::size_t k = 0; k < truth.size(); k++) out.value += f(k) / n;
  double squares = 0, users = 0, deviation = 0;
  for (std::size_t k = 0; k < truth.size(); k++) {
    deviation += f(k) - out.value;
    if (k + 1 < truth.size() && truth[k + 1].user == truth[k].user) continue;
    squares += deviation * deviation, users++, deviation = 0;
  }
  out.degrees_of_freedom = users - 1;
  out.error = users > 1 ? std::sqrt(squares * users / (users - 1)) / n : std::numeric_limits<double>::quiet_NaN();
  return out;
}

}  // namespace

RatingOffsets rating_offsets(std::vector<Rating> const& train, Index users, Index items, double lambda) {
  RatingOffsets out{0, std::vector<double>(at(items)), std::vector<double>(at(users))};
  for (Rating const& r : train) out.mean += r.value / double(train.size());
  auto const average = [&](std::vector<double>& offsets, Index Rating::*whose, auto const& residual) {
    std::vector<double> sums(offsets.size()), counts(offsets.size(), lambda);
    for (Rating const& r : train) sums[at(r.*whose)] += residual(r), counts[at(r.*whose)]++;
    for (std::size_t k = 0; k < offsets.size(); k++) offsets[k] = counts[k] > 0 ? sums[k] / counts[k] : 0;
  };
  average(out.item, &Rating::item, [&](Rating const& r) { return r.value - out.mean; });
  average(out.user, &Rating::user, [&](Rating const& r) { return r.value - out.mean - out.item[at(r.item)]; });
  return out;
}

PredictionErrors prediction_errors(std::vector<Rating> const& truth, std::vector<double> const& predictions) {
  auto const error = [&](std::size_t k) { return predictions[k] - truth[k].value; };
  Estimate const square = mean_over_users(truth, [&](std::size_t k) { return error(k) * error(k); });
  double const root = std::sqrt(square.value);
  return {{root, root > 0 ? square.error / (2 * root) : 0, square.degrees_of_freedom},
          mean_over_users(truth, [&](std::size_t k) { return std::abs(error(k)); })};
}

Estimate error_difference(std::vector<Rating> const& truth, std::vector<double> const& a, std::vector<double> const& b) {
  auto const root = [&](std::vector<double> const& p) { return prediction_errors(truth, p).root_mean_square.value; };
  double const root_a = root(a), root_b = root(b);
  // Linearisation: the derivative of sqrt(mean e^2) in mean e^2 is 1 / (2 sqrt(mean e^2)).
  auto const slope = [&](std::vector<double> const& p, double whole, std::size_t k) {
    double const e = p[k] - truth[k].value;
    return whole > 0 ? e * e / (2 * whole) : 0;
  };
  Estimate const change = mean_over_users(truth, [&](std::size_t k) { return slope(a, root_a, k) - slope(b, root_b, k); });
  return {root_a - root_b, change.error, change.degrees_of_freedom};
}

ListQuality list_quality(std::vector<double> const& scores, std::vector<bool> const& relevant, Index cutoff) {
  auto const all = std::count(relevant.begin(), relevant.end(), true);
  require(all > 0, ExitCode::internal, "a list of candidates of which none is relevant");
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto const shown = order.begin() + std::min<std::ptrdiff_t>(cutoff, std::ssize(order));
  std::partial_sort(order.begin(), shown, order.end(),
                    [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  double gain = 0, largest = 0, hits = 0;
  for (auto k = order.begin(); k != shown; ++k) {
    double const discounted = 1 / std::log2(double(k - order.begin()) + 2);
    if (relevant[*k]) gain += discounted, hits++;
    if (k - order.begin() < all) largest += discounted;
  }
  return {gain / largest, hits / double(cutoff), hits / double(all)};
}

namespace {

struct RatingsOptions {
  double regularisation = 3;
  double relevant_from = 4;
  Index cutoff = 10;
  std::string candidates = "held_out";
};

// The training and held-out ratings by places in the table, the latter in order of users.
struct Problem {
  data::Dataset const& data;
  Index users, items;
  std::vector<double> const& levels;
  std::vector<Rating> train, held_out;

  explicit Problem(data::Dataset const& d)
      : data(d), users(std::ssize(d.ratings()->users)), items(d.dimension()), levels(d.ratings()->levels) {
    for (Index u = 0; u < users; u++) {
      auto const codes = codes_of(u);
      for (Index i = 0; i < items; i++)
        if (auto const code = std::size_t(codes[i]); code > 0) train.push_back({u, i, levels[code - 1]});
    }
    for (auto const& h : d.ratings()->held_out) held_out.push_back({h.user, h.item, h.value});
  }
  std::vector<double> codes_of(Index user) const {
    std::vector<double> out(items);
    if (user < data.size(data::Split::train)) data.values({user, 0}, out.data());
    return out;
  }
  double clipped(double rating) const { return std::clamp(rating, levels.front(), levels.back()); }
};

// The four methods of predict(user, item).
enum Method { rbm, item_mean, user_item, user_item_regularised, methods };
constexpr std::array<char const*, methods> names{"rbm", "item_mean", "user_item", "user_item_regularised"};

class Predictor {
 public:
  Predictor(Problem const& problem, SoftmaxRbm const& model, double lambda)
      : problem_(problem),
        machine_(model),
        plain_(rating_offsets(problem.train, problem.users, problem.items, 0)),
        regularised_(rating_offsets(problem.train, problem.users, problem.items, lambda)) {}

  // The user that the next predictions are for.
  void set_user(Index u) {
    if (u == user_) return;
    user_ = u;
    codes_ = problem_.codes_of(u);
    field_ = machine_.field(codes_);
  }
  bool rated(Index item) const { return codes_[item] > 0; }  // in training
  double operator()(Method method, Index item) const {
    switch (method) {
      case rbm:
        return expected_rating(item);
      case item_mean:
        return plain_.mean + plain_.item[item];
      case user_item:
        return problem_.clipped(plain_(user_, item));
      default:
        return problem_.clipped(regularised_(user_, item));
    }
  }

 private:
  double expected_rating(Index item) const {
    auto const p = machine_.probabilities(field_, item);
    double mean = 0, total = 0;  // over the levels that occur
    for (std::size_t k = 0; k < problem_.levels.size(); k++) mean += p[k] * problem_.levels[k], total += p[k];
    return mean / total;
  }

  Problem const& problem_;
  LevelPredictor machine_;
  RatingOffsets plain_, regularised_;
  Index user_ = -1;
  std::vector<double> codes_;
  std::vector<Real> field_;
};

// Held-out ratings of one user: a range of Problem::held_out.
struct UserRange {
  std::size_t first, end;
};
std::vector<UserRange> by_user(std::vector<Rating> const& ratings) {
  std::vector<UserRange> out;
  for (std::size_t n = 0; n < ratings.size(); n++) {
    if (n == 0 || ratings[n].user != ratings[n - 1].user) out.push_back({n, n});
    out.back().end = n + 1;
  }
  return out;
}

// Scores of one user's candidates, and which of them are relevant. Offsets of users do not change the order of items (except for ties at
// the ends of the scale).
struct Lists {
  static constexpr std::array<std::pair<char const*, Method>, 3> by_rating{
      {{"rbm", rbm}, {"item_mean", item_mean}, {"item_mean_regularised", user_item_regularised}}};
  static constexpr std::size_t count = by_rating.size() + 1;  // and by the numbers of training ratings
  static char const* name(std::size_t k) { return k < by_rating.size() ? by_rating[k].first : "popularity"; }
  std::array<std::vector<double>, count> scores;
  std::vector<bool> relevant;
};
Lists lists_of(Problem const& p, Predictor& predict, UserRange range, std::vector<double> const& popularity, RatingsOptions const& o) {
  std::vector<double> rating(p.items, -std::numeric_limits<double>::infinity());
  for (std::size_t n = range.first; n < range.end; n++) rating[p.held_out[n].item] = p.held_out[n].value;
  Lists out;
  predict.set_user(p.held_out[range.first].user);
  for (Index i = 0; i < p.items; i++) {
    auto const at = std::size_t(i);
    bool const candidate = o.candidates == "all" ? !predict.rated(i) : std::isfinite(rating[at]);
    if (!candidate) continue;
    for (std::size_t k = 0; k < Lists::by_rating.size(); k++) out.scores[k].push_back(predict(Lists::by_rating[k].second, i));
    out.scores.back().push_back(popularity[at]);
    out.relevant.push_back(rating[at] >= o.relevant_from);
  }
  return out;
}

// The results of all ranks for their users, one after the other.
struct Found {
  std::array<std::vector<double>, methods> predictions;                // of the held-out ratings
  std::array<std::array<std::vector<double>, 3>, Lists::count> lists;  // ndcg, precision, recall of each user with something to rank
};

Found evaluate(Problem const& p, Predictor& predict, RatingsOptions const& o, Communicator const& ranks) {
  std::vector<double> popularity(p.items);
  for (Rating const& r : p.train) popularity[r.item]++;
  auto const users = by_user(p.held_out);
  TileRange const mine = share_of_tiles(std::ssize(users), ranks.rank(), ranks.ranks());
  Found found;
  for (Index u = mine.first; u < mine.end(); u++) {
    UserRange const range = users[u];
    for (std::size_t n = range.first; n < range.end; n++) {
      predict.set_user(p.held_out[n].user);
      for (int m = 0; m < methods; m++) found.predictions[m].push_back(predict(static_cast<Method>(m), p.held_out[n].item));
    }
    Lists const lists = lists_of(p, predict, range, popularity, o);
    auto const relevant = std::count(lists.relevant.begin(), lists.relevant.end(), true);
    if (relevant == 0 || relevant == std::ssize(lists.relevant)) continue;  // nothing to tell apart
    for (std::size_t k = 0; k < Lists::count; k++) {
      auto const q = list_quality(lists.scores[k], lists.relevant, o.cutoff);
      found.lists[k][0].push_back(q.ndcg), found.lists[k][1].push_back(q.precision), found.lists[k][2].push_back(q.recall);
    }
  }
  for (auto& v : found.predictions) v = ranks.all_gather(v);
  for (auto& of_method : found.lists)
    for (auto& v : of_method) v = ranks.all_gather(v);
  return found;
}

void has_held_out_ratings(Fit const& fit) {
  auto const* const data = fit.data();
  if (!data || !fit.model) return;
  fit.attempt([&] { require_width(*data, *fit.model); });
  if (data->ratings() && data->ratings()->held_out.empty())
    fit.refuse("", "estimator.type = \"ratings\" predicts held-out ratings, but there are none; set data.held_out_fraction");
}

Metrics ratings(Subject const& s, deck::Block const& block) {
  auto const o = block.as<RatingsOptions>();
  auto const& model = as<SoftmaxRbm const>(*s.model);
  auto const* const data = s.data;
  Problem const problem(*data);
  Predictor predict(problem, model, o.regularisation);
  Found const found = evaluate(problem, predict, o, s.samples.ranks);

  write_estimate(s, "ratings", [&](hdf5::File const& file) {
    std::vector<Index> user, item;
    std::vector<double> rating;
    for (Rating const& r : problem.held_out) {
      user.push_back(data->ratings()->users[r.user]);
      item.push_back(data->ratings()->items[r.item]);
      rating.push_back(r.value);
    }
    file.write("user", user), file.write("item", item), file.write("rating", rating), file.write("prediction", found.predictions[rbm]);
    for (int m = item_mean; m < methods; m++) file.write(fmt::format("baselines/{}", names[m]), found.predictions[m]);
  });

  constexpr std::array<char const*, methods> what{
      "the machine's E[rating | training ratings of the user]", "the item's training mean, of all ratings where it has none",
      "mean + item offset + user offset", "mean + item offset + user offset, each offset sum / (count + regularisation)"};
  Metrics out{{"held_out_ratings", double(problem.held_out.size()), {}, "number of held-out ratings, over which errors are averaged"}};
  for (std::size_t m = 0; m < methods; m++) {
    auto const e = prediction_errors(problem.held_out, found.predictions[m]);
    out.push_back(metric(fmt::format("rmse_{}", names[m]), e.root_mean_square,
                         fmt::format("root mean square error of {}; error over users", what[m])));
    if (m != rbm) {
      auto const gain = error_difference(problem.held_out, found.predictions[rbm], found.predictions[m]);
      out.push_back(
          metric(fmt::format("rmse_rbm_less_{}", names[m]), gain, fmt::format("rmse_rbm less rmse_{}; error over users", names[m])));
    }
    out.push_back(
        metric(fmt::format("mae_{}", names[m]), e.mean_absolute, fmt::format("mean absolute error of {}; error over users", what[m])));
  }
  std::string const candidates = o.candidates == "all" ? "all items that the user has not rated in training" : "the user's held-out items";
  constexpr std::array<char const*, 3> measures{"ndcg", "precision", "recall"};
  out.push_back(
      {"ranked_users",
       double(found.lists[0][0].size()),
       {},
       fmt::format("users with candidates ({}) that are rated {} or more and others that are not, over whom ranking metrics are averaged",
                   candidates, o.relevant_from)});
  for (std::size_t k = 0; k < Lists::count && !found.lists[0][0].empty(); k++)
    for (std::size_t q = 0; q < measures.size(); q++)
      out.push_back(metric(fmt::format("{}_{}", measures[q], Lists::name(k)), mean_and_error(found.lists[k][q]),
                           fmt::format("{} of the first {} candidates in the order of {}; error over users", measures[q], o.cutoff,
                                       k < Lists::by_rating.size() ? "these predictions" : "their numbers of training ratings")));
  return out;
}

}  // namespace

EstimatorEntry ratings_estimator() {
  using O = RatingsOptions;
  return {
      deck::schema<O>(
          "ratings",
          "predictions of held-out ratings and how well they rank, beside those by means of items and users: "
          "estimates/ratings.h5",
          {deck::key(
               "regularisation", &O::regularisation,
               "number of ratings without offset from the mean that are added to each item's and each user's in the regularised baseline")
               .at_least(0),
           deck::key("relevant_from", &O::relevant_from, "lowest rating of the items that should rank first"),
           deck::key("cutoff", &O::cutoff, "number of places of the ranking that count").at_least(1),
           deck::key("candidates", &O::candidates,
                     "what is ranked: held_out (the user's held-out items) or all (that the user has not rated in training)")
               .one_of({"held_out", "all"})}),
      ratings,
      LooksAt::model_or_data,
      needs<SoftmaxRbm>(),
      true,
      has_held_out_ratings,
      [](EstimatorListing const& l) { l.arrays.count<Real>("weights and biases on the host", parameter_count(*l.model)); }};
}

}  // namespace partita
