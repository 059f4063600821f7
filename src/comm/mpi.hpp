// MPI, for this folder only: one check for every call, and the types it moves.
#pragma once
#include <mpi.h>

#include <algorithm>
#include <source_location>
#include <string>
#include <type_traits>

#include "core/types.hpp"

namespace partita::mpi {

// Fails with ExitCode::communication unless `code` is MPI_SUCCESS; `call` names the function in the message.
void check(int code, char const* call, std::source_location at = std::source_location::current());

// MPI's text for an error code; empty where it has none.
std::string reason(int code);

template <class T>
MPI_Datatype type() {
  if constexpr (std::is_same_v<T, double>) return MPI_DOUBLE;
  else if constexpr (std::is_same_v<T, float>) return MPI_FLOAT;
  else if constexpr (std::is_same_v<T, Index>) return MPI_INT64_T;
  else {
    static_assert(std::is_same_v<T, char>, "element type that ranks exchange");
    return MPI_CHAR;
  }
}

// Name of an element type, for messages.
template <class T>
constexpr char const* name() {
  return std::is_same_v<T, double> ? "double" : std::is_same_v<T, float> ? "float" : std::is_same_v<T, Index> ? "integer" : "character";
}

// MPI-3 counts are int: transfer(offset, count) is called for pieces of at most 2^30 elements.
template <class Transfer>
void in_pieces(Index size, Transfer transfer) {
  constexpr Index largest = Index(1) << 30;
  for (Index offset = 0; offset < size; offset += largest) transfer(offset, int(std::min(largest, size - offset)));
}

}  // namespace partita::mpi
