#include "models/boltzmann_machine.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/require.hpp"
#include "models/entry.hpp"
#include "models/host_values.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

// The sum of term(tile, lane) over the lanes of all tiles, in whole vectors of lanes.
template <class Term>
KOKKOS_FORCEINLINE_FUNCTION Real lane_sum(Index tiles, Index lanes, Term const& term) {
  Real partial[lane_quantum] = {};
  for (Index t = 0; t < tiles; t++) {
    auto const at = term(t);
    for (Index l = 0; l < lanes; l += lane_quantum)
      for (Index k = 0; k < lane_quantum; k++) partial[k] += at(l + k);
  }
  Real total = 0;
  for (Real p : partial) total += p;
  return total;
}

// sum_i += sum_b y_i(b).
void add_unit_sums(ConstTiles y, Vector sum) {
  Index const tiles = extent(y, 0), lanes = extent(y, 2);
  Kokkos::parallel_for(
      "partita::unit_sums", Range(0, extent(y, 1)), KOKKOS_LAMBDA(Index i) {
        sum(i) += lane_sum(tiles, lanes, [&](Index t) { return [row = &y(t, i, 0)](Index l) { return row[l]; }; });
      });
}

// sum_ij += sum_b y_i(b) x_j(b), or for Products::both y_i x_j + y_j x_i, for each edge ij.
enum class Products { first_with_second, both };
void add_edge_sums(CouplingGraph const& graph, Products products, ConstTiles y, ConstTiles x, Vector sum) {
  Index const tiles = extent(x, 0), lanes = extent(x, 2);
  auto const first = graph.first, second = graph.second;
  bool const both = products == Products::both;
  Kokkos::parallel_for(
      "partita::edge_sums", Range(0, graph.edges()), KOKKOS_LAMBDA(Index e) {
        auto const of = [&](Index i, Index j) {
          return lane_sum(tiles, lanes, [&](Index t) { return [yi = &y(t, i, 0), xj = &x(t, j, 0)](Index l) { return yi[l] * xj[l]; }; });
        };
        sum(e) += of(first(e), second(e));
        if (both) sum(e) += of(second(e), first(e));
      });
}

std::string wrong_connections(deck::Value const& v) {
  for (std::string const& name : std::get<std::vector<std::string>>(v))
    if (name != "visible" && name != "between" && name != "hidden")
      return "may name \"visible\" (R), \"between\" (W) and \"hidden\" (S), not \"" + name + "\"";
  return "";
}

// A draw of a unit given its field.
struct GibbsDraw {
  Real beta, shift;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real field, std::uint32_t own, std::uint32_t) const {
    return random::uniform(own) < math::sigmoid(std::fma(beta, field, shift)) ? Real(1) : Real(0);
  }
};

// bias x.
struct Multiple {
  Real bias;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real unit) const { return bias * unit; }
};

}  // namespace

deck::Schema boltzmann_machine_schema() {
  using O = BoltzmannMachineOptions;
  return deck::schema<O>(
      "boltzmann_machine", "binary units v and h, E = -1/2 v'R v - v'W h - 1/2 h'S h - a'v - b'h; samples and chains hold both",
      {deck::key("visible", &O::visible, "number of visible units, each 0 or 1").required().at_least(1),
       deck::key("hidden", &O::hidden, "number of hidden units, each 0 or 1; 0: a fully visible machine").at_least(0),
       deck::key("connections", &O::connections,
                 "which pairs of units are coupled: any of \"visible\" (R), \"between\" (W) and \"hidden\" (S)")
           .checked_by(wrong_connections),
       deck::key("initial_scale", &O::initial_scale, "standard deviation of the random weights at the start").at_least(0).of_learning()});
}

namespace {

bool connects(BoltzmannMachineOptions const& o, char const* layer) {
  return std::find(o.connections.begin(), o.connections.end(), layer) != o.connections.end();
}

void require_connections(BoltzmannMachineOptions const& o) {
  require_all(o.hidden == 0 || connects(o, "between"), ExitCode::usage,
              "model.connections leaves out \"between\" (no weight connects the {} hidden units with visible ones, so they would learn "
              "nothing); add it, or set model.hidden = 0",
              o.hidden);
  constexpr double most = 1e8;  // which are listed in memory
  double const d = double(o.visible), f = double(o.hidden);
  double const count =
      (connects(o, "visible") ? d * (d - 1) / 2 : 0) + (connects(o, "between") ? d * f : 0) + (connects(o, "hidden") ? f * (f - 1) / 2 : 0);
  require_all(count <= most, ExitCode::usage,
              "model.visible = {} and model.hidden = {} make {:.3g} connections, more than {:.0g}; use fewer units, fewer of "
              "model.connections, or an rbm",
              o.visible, o.hidden, count, most);
}

}  // namespace

Connections layers(BoltzmannMachineOptions const& o, Arrays arrays) {
  Connections all;
  auto const connect = [&](std::string const& block, std::vector<Index> const& extents, auto const& partners) {
    Index const count = std::accumulate(extents.begin(), extents.end(), Index{1}, std::multiplies<>());
    if (count > 0) all.blocks.push_back({block, extents, all.count});
    all.count += count;
    if (arrays.makes()) partners();
  };
  auto const pairs = [&](Index from, Index end, auto const& first_partner, Index last) {
    for (Index i = from; i < end; i++)
      for (Index j = first_partner(i); j < last; j++) all.edges.push_back({i, j});
  };
  Index const d = o.visible, f = o.hidden;
  auto const next = [](Index i) { return i + 1; };
  if (connects(o, "visible")) connect("visible_weight", {d * (d - 1) / 2}, [&] { pairs(0, d, next, d); });
  if (connects(o, "between"))
    connect("weight", {d, f}, [&] {
      pairs(
          0, d, [d](Index) { return d; }, d + f);
    });
  if (connects(o, "hidden")) connect("hidden_weight", {f * (f - 1) / 2}, [&] { pairs(d, d + f, next, d + f); });
  return all;
}

BoltzmannMachine::BoltzmannMachine(Index visible, Index hidden, Connections const& connections, Arrays arrays)
    : visible_(visible),
      graph_(visible + hidden, connections.count, connections.edges, arrays),
      blocks_(connections.blocks),
      parameters_(arrays.make<Vector>("boltzmann machine parameters", graph_.edges() + visible + hidden)),
      reference_(arrays.make<Vector>("boltzmann machine reference", visible + hidden)) {
  blocks_.push_back({"visible_bias", {visible}, graph_.edges()});
  if (hidden > 0) blocks_.push_back({"hidden_bias", {hidden}, graph_.edges() + visible});
}

Sizes BoltzmannMachine::sizes(BoltzmannMachineOptions const& o) {
  require_connections(o);
  return {o.visible, o.visible + o.hidden};
}

BoltzmannMachine::BoltzmannMachine(BoltzmannMachineOptions const& o, Arrays arrays)
    : BoltzmannMachine(o.visible, o.hidden, layers(o, arrays), arrays) {
  sizes(o);
  initial_scale_ = o.initial_scale;
}

void BoltzmannMachine::initialise(std::function<double(Index)> const& normal) {
  std::vector<double> w(graph_.edges());
  for (std::size_t e = 0; e < w.size(); e++) w[e] = initial_scale_ * normal(Index(e));
  assign(weight(), w);
}

void BoltzmannMachine::work(Arrays arrays, Index tiles, Index lanes) const {
  EnergyModel::work(arrays, tiles, lanes);
  arrays.grow(units_work_, "boltzmann machine units", tiles, dimension(), pitch_of(lanes));
}

Tiles BoltzmannMachine::units_work(ConstTiles like) const {
  reserve_for(like);
  return leading(units_work_, extent(like, 0), dimension(), extent(like, 2));
}

ConstVector BoltzmannMachine::reference() const {
  if (!has_reference_) copy_array(Kokkos::subview(reference_, std::pair(Index{0}, visible_)), part(graph_.edges(), visible_));
  return reference_;
}

void BoltzmannMachine::set_reference(UnitMoments const& m) { set_reference_rates(log_odds(m)); }

void BoltzmannMachine::set_reference_rates(std::vector<double> const& log_odds) {
  assign(Kokkos::subview(reference_, std::pair(Index{0}, visible_)), log_odds);
  has_reference_ = true;
}

double BoltzmannMachine::log_z_reference() const {
  double sum = 0;
  for (double a : to_host(reference())) sum += math::softplus(a);  // ln 2 for each hidden unit
  return sum;
}

void BoltzmannMachine::start_from(UnitMoments const& m) { assign(part(graph_.edges(), visible_), log_odds(m)); }

void BoltzmannMachine::sweep(Tiles x, Sweep const& sweep) const {
  ConstVector const c = bias(), c0 = reference();
  Real const beta = Real(sweep.beta);
  sweep_classes(
      "partita::boltzmann_sweep", graph_, weight(), x, sweep, KOKKOS_LAMBDA(Index i, Index) {
        return GibbsDraw{beta, std::fma(beta, c(i), (1 - beta) * c0(i))};
      });
}

template <class Store>
void BoltzmannMachine::path_energies(ConstTiles x, double c0, double c1, Store const& store) const {
  ConstVector const b = bias(), b0 = reference();
  Real const of_reference = Real(-c0), of_model = Real(-c1);
  pair_energies(
      "partita::boltzmann_energy", graph_, weight(), of_model, x,
      KOKKOS_LAMBDA(Index i) { return Multiple{std::fma(of_model, b(i), of_reference * b0(i))}; }, store);
}

void BoltzmannMachine::path_energy(ConstTiles x, double beta, TileScalars energy) const {
  path_energies(
      x, 1 - beta, beta, KOKKOS_LAMBDA(Index tile, Index lane, double e) { energy(tile, lane) = Real(e); });
}

void BoltzmannMachine::anneal(Tiles x, double beta_before, Sweep const& to, LogWeights log_weight) const {
  path_energies(
      x, to.beta - beta_before, beta_before - to.beta,
      KOKKOS_LAMBDA(Index tile, Index lane, double gained) { log_weight(tile, lane) += gained; });
  sweep(x, to);
}

Tiles BoltzmannMachine::weigh(ConstTiles from, ConstTileScalars weight, Real scale) const {
  Tiles const to = units_work(from);
  Index const units = dimension(), lanes = extent(from, 2);
  Kokkos::parallel_for(
      "partita::weigh_units", Range(0, extent(from, 0) * units), KOKKOS_LAMBDA(Index n) {
        Real const* const row = &from(n / units, n % units, 0);
        Real const* const w = &weight(n / units, 0);
        Real* const out = &to(n / units, n % units, 0);
#pragma GCC ivdep
        for (Index l = 0; l < lanes; l++) out[l] = scale * w[l] * row[l];
      });
  return to;
}

void BoltzmannMachine::energy_reverse(ConstTiles x, ConstTileScalars weight, Vector sum) {
  Tiles const weighed = weigh(x, weight, -1);
  add_edge_sums(graph_, Products::first_with_second, weighed, x, sum);
  add_unit_sums(weighed, Kokkos::subview(sum, std::pair(graph_.edges(), graph_.edges() + dimension())));
}

void BoltzmannMachine::add_unit_means(ConstTiles x, ConstTileScalars weight, Vector sum) const { add_unit_sums(weigh(x, weight, 1), sum); }

void BoltzmannMachine::centre(Vector gradient, ConstVector offsets) const {
  auto const g = gradient;
  auto const mu = offsets;
  auto const first = graph_.first, second = graph_.second;
  auto const neighbours = graph_.neighbours;
  Index const edges = graph_.edges();
  // <(x_i - mu_i)(x_j - mu_j)> of the data minus that of the model, in which the products of the offsets cancel.
  Kokkos::parallel_for(
      "partita::centre_weights", Range(0, edges),
      KOKKOS_LAMBDA(Index e) { g(e) -= mu(first(e)) * g(edges + second(e)) + mu(second(e)) * g(edges + first(e)); });
  Kokkos::parallel_for(
      "partita::centre_biases", Range(0, dimension()), KOKKOS_LAMBDA(Index i) {
        Real lost = 0;
        for (Index n = neighbours.start(i); n < neighbours.start(i + 1); n++)
          lost = std::fma(g(neighbours.edge(n)), mu(neighbours.unit(n)), lost);
        g(edges + i) -= lost;
      });
}

void BoltzmannMachine::pseudo_likelihood_forward(ConstTiles x, TileScalars value) {
  Index const lanes = extent(x, 2), strips = divide_up(lanes, strip_lanes), pitch = Index(x.stride(1)), units = dimension();
  Tiles const residual = units_work(x);
  ConstVector const c = bias(), w = weight();
  auto const neighbours = graph_.neighbours;
  // With f_k = c_k + sum_j w_kj x_j: log p(x_k | rest) = x_k f_k - softplus(f_k), whose derivative in f_k is x_k - sigmoid(f_k).
  Kokkos::parallel_for(
      "partita::pseudo_likelihood", Range(0, extent(x, 0) * strips), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % strips * strip_lanes, tile = n / strips;
        Index const here = lanes - lane < strip_lanes ? lanes - lane : strip_lanes;
        Rows<Real const> const rows{&x(tile, 0, lane), pitch};
        double total[strip_lanes] = {};
        for (Index k = 0; k < units; k++) {
          Real field[strip_lanes] = {};
          neighbours.add(k, units, w, rows, here, field);
          Real const* const row = rows[k];
          Real* const out = &residual(tile, k, lane);
          Real const bias = c(k);
#pragma GCC ivdep
          for (Index l = 0; l < here; l++) {
            auto const f = math::softplus_with_slope(field[l] + bias);
            out[l] = row[l] - f.slope;
            total[l] += double(row[l] * (field[l] + bias) - f.value);
          }
        }
        for (Index l = 0; l < here; l++) value(tile, lane + l) = Real(total[l]);
      });
}

void BoltzmannMachine::pseudo_likelihood_reverse(ConstTiles x, ConstTileScalars weight, Vector sum) {
  Tiles const weighed = weigh(units_work(x), weight, 1);
  add_edge_sums(graph_, Products::both, weighed, x, sum);
  add_unit_sums(weighed, Kokkos::subview(sum, std::pair(graph_.edges(), graph_.edges() + dimension())));
}

deck::Schema ising_lattice_schema() {
  using O = IsingLatticeOptions;
  return deck::schema<O>(
      "ising_lattice",
      "spins s = 2x - 1 on a square lattice, E = -J sum_bonds s_i s_j - theta sum_i s_i, measured from its value with all spins down "
      "(log Z = log Z of the lattice - J bonds + theta sites); x is 0 or 1; chains and annealing start from independent spins in the field",
      {deck::key("rows", &O::rows, "number of rows of sites").required().at_least(1),
       deck::key("columns", &O::columns, "number of columns of sites").required().at_least(1),
       deck::key("coupling", &O::coupling,
                 "coupling J / kT; without a field infinite lattices are ordered above ln(1 + sqrt 2) / 2 = 0.4407"),
       deck::key("field", &O::field, "field theta / kT"), deck::key("periodic", &O::periodic, "whether bonds join opposite edges")});
}

Sizes sizes(IsingLatticeOptions const& o) {
  require_lattice(o.rows, o.columns, o.periodic);
  return {o.rows * o.columns, o.rows * o.columns};
}

std::unique_ptr<BoltzmannMachine> make_ising_lattice(IsingLatticeOptions const& o, Arrays arrays) {
  sizes(o);
  Index const count = 2 * o.rows * o.columns - (o.periodic ? 0 : o.rows + o.columns);
  auto const edges = arrays.makes() ? lattice_edges(o.rows, o.columns, o.periodic) : std::vector<Edge>{};
  auto machine = std::make_unique<BoltzmannMachine>(o.rows * o.columns, 0, Connections{count, edges, {{"weight", {count}, 0}}}, arrays);
  if (!arrays.makes()) return machine;
  std::vector<double> bias(o.rows * o.columns, 2 * o.field);
  for (Edge const& e : edges)
    for (Index i : {e.first, e.second}) bias[i] -= 2 * o.coupling;
  assign(machine->weight(), std::vector<double>(edges.size(), 4 * o.coupling));
  assign(machine->bias(), bias);
  machine->set_reference_rates(std::vector<double>(bias.size(), 2 * o.field));
  return machine;
}

ModelEntry ising_lattice_model() {
  return {{ising_lattice_schema(),
           [](deck::Block const& b, random::Key, Arrays arrays) { return make_ising_lattice(b.as<IsingLatticeOptions>(), arrays); }},
          Capabilities::of<BoltzmannMachine>(),
          [](deck::Block const& b) { return sizes(b.as<IsingLatticeOptions>()); },
          {},
          false};
}

}  // namespace partita
