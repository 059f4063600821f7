#include "io/provenance.hpp"

#include <fmt/chrono.h>

#include <ctime>

namespace partita {

void describe(hdf5::Object const& object, Provenance const& from) {
  object.set_attribute("created_at", fmt::format("{:%FT%T}+00:00", fmt::gmtime(std::time(nullptr))));
  object.set_attribute("inference_library", "partita");
  object.set_attribute("inference_library_version", from.version);
  object.set_attribute("deck", from.deck);
  object.set_attribute("code_version", from.code_version);
  object.set_attribute("seed", from.seed);
}

}  // namespace partita
