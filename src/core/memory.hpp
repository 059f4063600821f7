// Memory that runs out: how much there is, and what was asked for when there was too little.
#pragma once
#include <exception>
#include <optional>
#include <string>

#include "core/require.hpp"

namespace partita {

// Bytes that this process can still take: what the machine has available, or what limits leave of it where that is less; none where the system
// does not tell.
std::optional<double> free_memory();

// Lets allocations fail once this process would take more than the machine has available now. Without it memory is given before it is there,
// and the system kills whoever touches too much of it.
void limit_memory_to_the_machine();

// "1.5 GiB"
std::string readable_bytes(double bytes);

// Failure(storage) with the bytes wanted and free where `e` is what an allocation throws that cannot be had, a Kokkos View's say; none for
// other exceptions.
std::optional<Failure> memory_failure(std::exception const& e);
// Lets an allocation that fails in `work` fail so.
template <class Work>
auto naming_memory(Work const& work) {
  try {
    return work();
  } catch (std::exception const& e) {
    if (auto const failure = memory_failure(e)) throw *failure;
    throw;
  }
}

}  // namespace partita
