// Sums over the rows of a strip, lane by lane, that keep the digits of doubles at nearly the price of Reals: terms are Reals, sixteen of
// them are added as Reals, and their sums as doubles. The error stays some 2^-23 of the largest terms, however many there are.
#pragma once
#include "core/tiling.hpp"

namespace partita {

class LaneSums {
 public:
  // Sums into total (strip_lanes), which is complete after finish(), to be called once.
  KOKKOS_FORCEINLINE_FUNCTION explicit LaneSums(double* total) : total_(total) {
    for (int l = 0; l < strip_lanes; l++) some_[l] = 0;
  }
  LaneSums(LaneSums const&) = delete;
  // The row to which the next terms are to be added, those of lane l to entry l; valid until the next call.
  KOKKOS_FORCEINLINE_FUNCTION Real* next_row() {
    if (rows_ > 0 && rows_ % rows_as_reals == 0) {
      add();
      for (int l = 0; l < strip_lanes; l++) some_[l] = 0;
    }
    rows_++;
    return some_;
  }
  KOKKOS_FORCEINLINE_FUNCTION void finish() { add(); }

 private:
  static constexpr int rows_as_reals = 16;
  // On the first call there is nothing to add yet.
  KOKKOS_FORCEINLINE_FUNCTION void add() {
    if (rows_ <= rows_as_reals) {
#pragma GCC ivdep
      for (int l = 0; l < strip_lanes; l++) total_[l] = double(some_[l]);
    } else {
#pragma GCC ivdep
      for (int l = 0; l < strip_lanes; l++) total_[l] += double(some_[l]);
    }
  }

  double* total_;
  Real some_[strip_lanes];
  int rows_ = 0;
};

}  // namespace partita
