// Underdamped Langevin dynamics dx = v dt, m dv = -dE/dx dt - gamma m v dt + sqrt(2 gamma m T) dW by BAOAB
// (Leimkuhler and Matthews 2013): exact positional variance on harmonic targets at every stable step.
#pragma once
#include "samplers/scheme_sampler.hpp"

namespace partita {

// BAOAB (Leimkuhler and Matthews 2013): kick h/2, drift h/2, Ornstein-Uhlenbeck h, drift h/2, kick h/2.
struct BaoabScheme {
  static constexpr bool needs_energy = false, carries_gradient = true, gradient_at_state = true, keeps_velocity = true;
  enum Vector : Index { gradient_here, vectors };
  enum Scalar : Index { scalars };
  enum Energy : Index { energy_here, energies };
  using Noise = StripStreams<random::Stream::langevin_noise>;
  using S = Strip<BaoabScheme>;
  Real half_kick, half_step, decay, amplitude;  // h / (2 m), h / 2, e^{-gamma h}, sqrt((1 - decay^2) T / m)

  KOKKOS_FUNCTION Index evaluations(Index) const { return 1; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(S const& s) const { return s.x; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(S const& s) const { return s.vector(gradient_here); }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(S const& s) const { return s.energy(energy_here); }

  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void before(S const& s, Noise& noise, Turn turn, Gradient const& g) const {
    auto const x = s.x, v = s.velocity;
    Real const kick = half_kick, drift = half_step, c = decay, a = amplitude;
    s.each_moving_row(noise.from<random::Stream::langevin_noise>(), turn.step, [=](Index i) {
      Real *const position = x[i], *const velocity = v[i];
      return [=, slope = g.row(i)](Index l, Real xi) {
        Real const kicked = std::fma(-kick, slope(l, position[l]), velocity[l]), middle = std::fma(drift, kicked, position[l]);
        Real const mixed = std::fma(a, xi, c * kicked);
        velocity[l] = mixed;
        position[l] = std::fma(drift, mixed, middle);
      };
    });
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(S const& s, Noise&, Turn, Gradient const& g) const {
    s.each_moving_row([&, kick = half_kick](Index i) {
      return [kick, slope = g.row(i), v = s.velocity[i], x = s.x[i]](Index l) { v[l] = std::fma(-kick, slope(l, x[l]), v[l]); };
    });
  }
};

struct UnderdampedOptions {
  double step_size = 0;
  double friction = 1;
  double mass = 1;
  double temperature = 1;
};
deck::Schema underdamped_schema();

class Underdamped : public SchemeSampler<BaoabScheme, Sampler> {
 public:
  explicit Underdamped(UnderdampedOptions const& o) : SchemeSampler(o.step_size, o.temperature), options_(o) {}
  void require_fit(Model const&) const override;
  void prepare(Model const&, Chains&, random::Key) override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  double longest_gradient_step(Index d) const override {  // unstable for H >= 4 m / h^2
    return gradient_step_at(2 * options_.mass / (step_size_ * step_size_), d);
  }
  int order_of_bias() const override { return 2; }

 private:
  UnderdampedOptions options_;
};

}  // namespace partita
