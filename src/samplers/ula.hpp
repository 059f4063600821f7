// Unadjusted Langevin algorithm: x <- x - eta dE/dx + sqrt(2 eta T) noise_scale xi.
#pragma once
#include "samplers/scheme_sampler.hpp"

namespace partita {

// Unadjusted Langevin: x <- x - eta dE/dx + sqrt(2 eta) xi.
struct UlaScheme {
  static constexpr bool needs_energy = false, carries_gradient = false, gradient_at_state = true, keeps_velocity = false;
  enum Vector : Index { gradient_here, vectors };
  enum Scalar : Index { scalars };
  enum Energy : Index { energy_here, energies };
  using Noise = StripStreams<random::Stream::langevin_noise>;
  using S = Strip<UlaScheme>;
  Real step_size, amplitude;

  KOKKOS_FUNCTION Index evaluations(Index) const { return 1; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(S const& s) const { return s.x; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(S const& s) const { return s.vector(gradient_here); }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(S const& s) const { return s.energy(energy_here); }

  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(S const& s, Noise& noise, Turn turn, Gradient const& g) const {
    auto const x = s.x;
    Real const eta = step_size, a = amplitude;
    s.each_moving_row(noise.from<random::Stream::langevin_noise>(), turn.step, [=](Index i) {
      Real* const row = x[i];
      return [=, slope = g.row(i)](Index l, Real xi) { row[l] = std::fma(a, xi, std::fma(-eta, slope(l, row[l]), row[l])); };
    });
  }
};

struct UlaOptions {
  double step_size = 0;
  double temperature = 1;
  double noise_scale = 1;
};
deck::Schema ula_schema();

class Ula : public SchemeSampler<UlaScheme, Sampler> {
 public:
  explicit Ula(UlaOptions const& o) : SchemeSampler(o.step_size, o.temperature), noise_scale_(o.noise_scale) {}
  void require_fit(Model const&) const override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  int order_of_bias() const override { return 1; }
  // Unstable for H >= 2 / eta; at half of that the chains have twice the variance of exp(-E), and the gradient is sqrt(2) times as long.
  // With less noise they are not meant to sample exp(-E).
  double longest_gradient_step(Index d) const override {
    return noise_scale_ == 1 ? gradient_step_at(2 / step_size_, d) : Sampler::longest_gradient_step(d);
  }
  // s^2 T (H - eta H^2 / 2)^-1 with s the noise scale: for H = I the variance is too large by the factor 2 / (2 - eta).
  std::optional<Matrix> stationary_covariance(Matrix const& precision) const override;

 private:
  double noise_scale_;
};

}  // namespace partita
