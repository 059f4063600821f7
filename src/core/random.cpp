#include "core/random.hpp"

#include "core/require.hpp"

namespace partita::random {

Key make_key(std::uint64_t seed, std::uint64_t number) {
  Words const mixed =
      philox({{std::uint32_t(seed), std::uint32_t(seed >> 32), std::uint32_t(number), std::uint32_t(number >> 32)}},
             {0x70617274u, 0x69746121u});
  return {mixed.w[0], mixed.w[1]};
}

Key derived_key(Key key, Stream stream, std::uint64_t which) {
  Words const w = words(key, which, stream, 0, 0);
  return {w.w[0], w.w[1]};
}

void check_budget(Index chains, Index steps, Index draws) {
  require_all(chains <= Index{1} << chain_bits, ExitCode::usage, "{} chains exceed the random-number budget of 2^{}; use fewer chains",
              chains, chain_bits);
  // one less: a scheme may draw the noise of the step after its last
  require_all(steps < Index{1} << step_bits, ExitCode::usage, "{} steps exceed the random-number budget of 2^{}; use fewer steps", steps,
              step_bits);
  require_all(draws <= Index{1} << draw_bits, ExitCode::usage,
              "{} random numbers a step exceed the budget of 2^{}; use a smaller dimension", draws, draw_bits);
}

}  // namespace partita::random
