#include "samplers/annealed_langevin.hpp"

#include <algorithm>

#include "core/require.hpp"
#include "samplers/advance.hpp"

namespace partita {

deck::Schema annealed_langevin_schema() {
  using O = AnnealedLangevinOptions;
  return deck::schema<O>(
      "annealed_langevin",
      "ula at each noise sigma_i of a model with noise_levels, from the highest down, eta_i = eta sigma_i^2 / sigma_L^2",
      {deck::key("step_size", &O::step_size, "step size eta at the lowest noise; eta / sigma_L^2 well below 1").required().above(0),
       deck::key(
           "level_steps", &O::level_steps,
           "number T of steps at each level: noise_levels * T in all, to be given as sampler.warmup; afterwards the noise stays at sigma_L")
           .at_least(1),
       deck::key("denoise", &O::denoise,
                 "whether the step after the last level is x <- x + sigma_L^2 s(x), which takes the last noise away; chains then stay "
                 "where they are")});
}

void AnnealedLangevin::require_fit(Model const& model) const {
  require_all(!score_of(model).noise_levels().empty(), ExitCode::usage,
              "sampler.type = \"annealed_langevin\" goes down the noise levels of a model, but this one has none; train one with "
              "model.noise_levels, or use ula");
}

void AnnealedLangevin::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  ScoreModel const& score = score_of(model);
  auto const sigma = score.noise_levels();
  Index const last = std::ssize(sigma) - 1, ladder = (last + 1) * options_.level_steps, end = first_step + steps;
  for (Index step = first_step; step < end;) {
    bool const done = options_.denoise && step >= ladder;
    if (done && step > ladder) return;
    Index const level = std::min(step / options_.level_steps, last);
    Index const stop = done ? ladder + 1 : level < last ? (level + 1) * options_.level_steps : options_.denoise ? ladder : end;
    double const s = sigma[level], eta = done ? s * s : step_size_ * s * s / (sigma.back() * sigma.back());
    score.set_noise(s);
    UlaScheme const scheme{Real(eta), Real(done ? 0 : std::sqrt(2 * eta))};
    Index const count = std::min(stop, end) - step;
    partita::advance(scheme, model, chains, work_, key, local, step, count);
    step += count;
  }
}

}  // namespace partita
