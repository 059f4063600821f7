#include "networks/activation.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/require.hpp"

namespace partita {

Activation activation_named(std::string const& name) {
  static std::pair<char const*, Activation> const table[] = {
      {"silu", Activation::silu}, {"softplus", Activation::softplus}, {"tanh", Activation::tanh}, {"gelu", Activation::gelu}};
  for (auto const& [known, activation] : table)
    if (name == known) return activation;
  fail(ExitCode::usage, fmt::format("activation \"{}\" is unknown; use silu, softplus, tanh or gelu", name), FailedOn::all_ranks);
}

}  // namespace partita
