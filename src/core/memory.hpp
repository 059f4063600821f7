// Memory that runs out: how much there is, and what was asked for when there was too little.
#pragma once
#include <exception>
#include <optional>
#include <string>

#include "core/require.hpp"

namespace partita {

// Bytes that this process can still allocate: the machine's available memory, or what resource limits leave where that is less; none where
// the system does not tell.
std::optional<double> free_memory();

// Makes an allocation fail if this process would then hold more than the machine has available now. Otherwise Linux promises more memory
// than there is, and kills a process when it touches too much of it.
void limit_memory_to_the_machine();

// "1.5 GiB"
std::string readable_bytes(double bytes);

// Failure(storage) with the bytes requested and free, where `e` was thrown by a failed allocation, of a Kokkos View for example; none for
// other exceptions.
std::optional<Failure> memory_failure(std::exception const& e);
// Runs `work`; a failed allocation in it becomes that Failure.
template <class Work>
auto with_memory_failures(Work const& work) {
  try {
    return work();
  } catch (std::exception const& e) {
    if (auto const failure = memory_failure(e)) throw *failure;
    throw;
  }
}

}  // namespace partita
