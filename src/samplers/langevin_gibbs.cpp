#include "samplers/langevin_gibbs.hpp"

#include <algorithm>

#include "core/math.hpp"
#include "core/require.hpp"
#include "models/unit_kernels.hpp"
#include "samplers/scheme.hpp"

namespace partita {
namespace {

GaussianRbm const& machine_of(Model const& model) {
  auto const* machine = dynamic_cast<GaussianRbm const*>(&model);
  require_all(machine != nullptr, ExitCode::usage,
              "langevin_gibbs makes Langevin steps on real visible units given hidden ones, but this model has no such layers; use a "
              "model of type rbm with visible_units = \"gaussian\", or sampler.type = \"gibbs\"");
  return *machine;
}

// All Langevin steps of a unit in one draw.
struct LangevinDraw {
  Real* to;
  Real const *from, *m;
  Real remains, amplitude, held;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index l, Real normal) const {
    to[l] = kept_or_drawn(held, from[l], std::fma(amplitude, normal, std::fma(remains, from[l] - m[l], m[l])));
  }
};

}  // namespace

deck::Schema langevin_gibbs_schema() {
  using O = LangevinGibbsOptions;
  return deck::schema<O>(
      "langevin_gibbs",
      "for restricted machines with gaussian visible units: a step draws h given v, then makes Langevin steps of v given h",
      {deck::key("step_size", &O::step_size,
                 "step size eta of v <- v - eta s^2 dE/dv + sqrt(2 eta) s xi; with 1 the new v does not depend on the old one")
           .required()
           .above(0)
           .at_most(1),
       deck::key("langevin_steps", &O::langevin_steps, "number of Langevin steps for each draw of h").at_least(1),
       deck::key("adjusted", &O::adjusted,
                 "whether all Langevin steps together are accepted or rejected, which is exact; without, the variance given h is too large "
                 "by the factor 2 / (2 - eta)"),
       deck::key("target_acceptance", &O::target_acceptance, "acceptance rate to which the warm-up adapts eta; 0: eta stays as given")
           .at_least(0)
           .below(1)
           .only_with("adjusted", {true})});
}

void LangevinGibbs::prepare(Model const& model, Chains&, random::Key) { machine_of(model); }

void LangevinGibbs::Work::grow(Arrays arrays, GaussianRbm const& machine, Index tiles, Index lanes, bool proposes) {
  arrays.grow(hidden, "hidden units of a step", tiles, machine.hidden(), pitch_of(lanes));
  arrays.grow(mean, "means of a step", tiles, machine.dimension(), pitch_of(lanes));
  if (proposes) arrays.grow(proposal, "proposals", tiles, machine.dimension(), pitch_of(lanes));
}

void LangevinGibbs::list(Arrays arrays, Model const& model, Share const& share) const {
  Work().grow(arrays, machine_of(model), tiles_in_flight(share.mine().count), share.tiling.width, options_.adjusted);
}

void LangevinGibbs::adapt(double acceptance) {
  AdjustedSampler::adapt(acceptance);
  step_size_ = std::min(step_size_, 1.);
}

void LangevinGibbs::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  GaussianRbm const& machine = machine_of(model);
  auto const move = [&](Index first, Index count, Index lanes) {
    Tiles const x = chains.tiles(first, count, lanes);
    for (Index n = first_step; n < first_step + steps; n++)
      step(machine, chains, first, x, {.key = key, .chains = chains.numbers().from(first), .step = n, .held = chains.held});
  };
  for_tiles_of_one_width(chains.tiling, chains.mine, local, tiles_in_flight(chains.mine.count), move);
}

void LangevinGibbs::step(GaussianRbm const& machine, Chains const& chains, Index first, Tiles x, Sweep const& sweep) {
  Index const d = machine.dimension(), tiles = extent(x, 0), lanes = extent(x, 2);
  work_.grow({}, machine, tiles, lanes, options_.adjusted);
  Tiles const hidden = leading(work_.hidden, tiles, machine.hidden(), lanes), mean = leading(work_.mean, tiles, d, lanes),
              proposal = options_.adjusted ? leading(work_.proposal, tiles, d, lanes) : x;
  machine.draw_hidden(x, hidden, sweep);
  machine.visible_means(hidden, mean);

  double const eta = step_size_, kept = std::pow(1 - eta, double(options_.langevin_steps));
  Real const remains = Real(kept), spread = Real(std::sqrt((1 - kept * kept) * 2 / (2 - eta)));
  ConstVector const z = machine.log_variance();
  Held const flags = sweep.held;
  Sweep noise = sweep;
  noise.stream = random::Stream::langevin_noise;
  draw_normal_units(
      "partita::langevin_given_hidden", tiles, d, lanes, noise, 0, KOKKOS_LAMBDA(Index t, Index i) {
        return LangevinDraw{&proposal(t, i, 0),
                            &x(t, i, 0),
                            &mean(t, i, 0),
                            remains,
                            spread * std::exp(z(i) / 2),
                            Real(flags.data() != nullptr && flags(i) != 0)};
      });
  if (!options_.adjusted) return;

  Index const strips = divide_up(lanes, strip_lanes);
  Real const quarter = Real(eta / 4);
  auto const keys = random::round_keys(sweep.key);
  auto const numbers = sweep.chains;
  auto const accepted = chains.accepted;
  Index const at = sweep.step;
  Kokkos::parallel_for(
      "partita::accept_langevin", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles * strips), KOKKOS_LAMBDA(Index n) {
        Index const t = n / strips, lane = n % strips * strip_lanes;
        Index const here = lanes - lane < strip_lanes ? lanes - lane : strip_lanes;
        double log_ratio[strip_lanes] = {};
        for (Index i = 0; i < d; i++) {
          Real const *const from = &x(t, i, lane), *const to = &proposal(t, i, lane), *const m = &mean(t, i, lane);
          Real const stiffness = quarter * std::exp(-z(i));
#pragma GCC ivdep
          for (Index l = 0; l < here; l++) log_ratio[l] += double(stiffness * (from[l] - to[l]) * (from[l] - m[l] + to[l] - m[l]));
        }
        random::StripWords words;
        random::fill(words, keys, numbers.of(t, lane), random::Stream::metropolis, std::uint64_t(at / 4), 0);
        bool accept[strip_lanes] = {};
        for (Index l = 0; l < here; l++) {
          accept[l] = is_accepted(words.w[at % 4][l], Real(-log_ratio[l]));
          accepted(first + t, lane + l) += accept[l] ? 1 : 0;
        }
        for (Index i = 0; i < d; i++) {
          Real* const to = &x(t, i, lane);
          Real const* const from = &proposal(t, i, lane);
#pragma GCC ivdep
          for (Index l = 0; l < here; l++) to[l] = math::select(accept[l], from[l], to[l]);
        }
      });
}

}  // namespace partita
