#include "driver/warm_start.hpp"

#include "core/log.hpp"
#include "io/checkpoint.hpp"
#include "io/together.hpp"

namespace partita {

void warm_start(Model& model, deck::Block const& block, Communicator const& ranks) {
  std::string const from = block.as<WarmStart>().from;
  if (from.empty()) return;
  Vector const parameters = model.parameters();
  require_all(parameters.extent(0) > 0, ExitCode::usage, "{}.from = \"{}\", but a {} has no parameters; remove the key", block.section,
              from, block.type);
  CheckpointFile const file = find_checkpoint(from, ranks);
  together(ranks, [&] {
    FieldValues const field = read_field(file, "estimate/parameters");
    require(field.values.size() == parameters.extent(0), ExitCode::data,
            "{}: {} parameters, and the {} of this deck has {}; use the same [{}] as that run's [model]", file.path.string(),
            field.values.size(), block.type, parameters.extent(0), block.section);
    Kokkos::deep_copy(parameters, Kokkos::View<Real const*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(
                                      field.values.data(), field.values.size()));
  });
  model.parameters_changed();
  log::info("parameters from {}", file.path.string());
}

}  // namespace partita
