#include "driver/warm_start.hpp"

#include "core/log.hpp"
#include "io/checkpoint.hpp"
#include "io/together.hpp"

namespace partita {

void warm_start(DifferentiableModel& model, deck::Block const& block, Communicator const& ranks) {
  std::string const from = block.as<WarmStart>().from;
  if (from.empty()) return;
  auto* const trainable = dynamic_cast<TrainableModel*>(&model);
  require_all(trainable != nullptr, ExitCode::usage, "model.from = \"{}\", but a {} has no parameters; remove the key", from, block.type);
  CheckpointFile const file = find_checkpoint(from, ranks);
  Vector const parameters = trainable->parameters();
  together(ranks, [&] {
    FieldValues const field = read_field(file, "estimate/parameters");
    require(field.values.size() == parameters.extent(0), ExitCode::data, "{}: {} parameters, and the {} of this deck has {}; use the same model.layers", file.path.string(),
            field.values.size(), block.type, parameters.extent(0));
    Kokkos::deep_copy(parameters, Kokkos::View<Real const*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(field.values.data(), field.values.size()));
  });
  trainable->parameters_changed();
  log::info("parameters from {}", file.path.string());
}

}  // namespace partita
