// Leimkuhler-Matthews: x <- x - eta dE/dx + sqrt(2 eta T) (xi_n + xi_{n+1}) / 2.
#pragma once
#include "samplers/scheme_sampler.hpp"

namespace partita {

// Leimkuhler and Matthews (AMRX 2013, 34): x <- x - eta dE/dx + sqrt(2 eta) (xi_n + xi_{n+1}) / 2; exact covariance on Gaussians.
struct LeimkuhlerMatthewsScheme {
  static constexpr bool needs_energy = false, carries_gradient = false, gradient_at_state = true, keeps_velocity = false;
  enum Vector : Index { gradient_here, earlier_noise, vectors };
  enum Scalar : Index { scalars };
  enum Energy : Index { energy_here, energies };
  using Noise = StripStreams<random::Stream::langevin_noise>;
  using S = Strip<LeimkuhlerMatthewsScheme>;
  Real step_size, amplitude;  // amplitude = sqrt(2 eta) / 2

  KOKKOS_FUNCTION Index evaluations(Index) const { return 1; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> point(S const& s) const { return s.x; }
  KOKKOS_FORCEINLINE_FUNCTION Rows<Real> gradient(S const& s) const { return s.vector(gradient_here); }
  KOKKOS_FORCEINLINE_FUNCTION double* energy(S const& s) const { return s.energy(energy_here); }

  KOKKOS_FORCEINLINE_FUNCTION void begin(S const& s, Noise& noise, Index step) const {
    auto const earlier = s.vector(earlier_noise);
    s.each_moving_row(noise.from<random::Stream::langevin_noise>(), step,
                      [=](Index i) { return [row = earlier[i]](Index l, Real xi) { row[l] = xi; }; });
  }
  template <class Gradient>
  KOKKOS_FORCEINLINE_FUNCTION void after(S const& s, Noise& noise, Turn turn, Gradient const& g) const {
    auto const x = s.x, earlier = s.vector(earlier_noise);
    Real const eta = step_size, a = amplitude;
    s.each_moving_row(noise.from<random::Stream::langevin_noise>(), turn.step + 1, [=](Index i) {
      Real *const row = x[i], *const before = earlier[i];
      return [=, slope = g.row(i)](Index l, Real xi) {
        row[l] = std::fma(a, before[l] + xi, std::fma(-eta, slope(l, row[l]), row[l]));
        before[l] = xi;
      };
    });
  }
};

struct LeimkuhlerMatthewsOptions {
  double step_size = 0;
  double temperature = 1;
};
deck::Schema leimkuhler_matthews_schema();

class LeimkuhlerMatthews : public SchemeSampler<LeimkuhlerMatthewsScheme, Sampler> {
 public:
  explicit LeimkuhlerMatthews(LeimkuhlerMatthewsOptions const& o) : SchemeSampler(o.step_size, o.temperature), options_(o) {}
  void require_fit(Model const&) const override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  double longest_gradient_step(Index d) const override { return gradient_step_at(1 / step_size_, d); }  // unstable for H >= 2 / eta
  int order_of_bias() const override { return 2; }

 private:
  LeimkuhlerMatthewsOptions options_;
};

}  // namespace partita
