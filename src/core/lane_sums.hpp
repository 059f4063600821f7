// Sums over the rows of a strip, lane by lane, that keep the digits of doubles at nearly the price of Reals: terms are Reals, eight of them
// are added as Reals, and their sums as doubles. The error stays some 2^-23 of the largest terms, however many there are.
#pragma once
#include "core/strip.hpp"

namespace partita {

class LaneSums {
 public:
  // Into total (strip_lanes), which is complete after finish().
  KOKKOS_FORCEINLINE_FUNCTION explicit LaneSums(double* total) : total_(total) {
    for (int l = 0; l < strip_lanes; l++) total_[l] = 0, some_[l] = 0;
  }
  LaneSums(LaneSums const&) = delete;
  // Where the next row's terms are to be added, lane l to the l-th; valid until the next call.
  KOKKOS_FORCEINLINE_FUNCTION Real* next_row() {
    if (rows_++ == 8) {
      finish();
      rows_ = 1;
    }
    return some_;
  }
  KOKKOS_FORCEINLINE_FUNCTION void finish() {
#pragma GCC ivdep
    for (int l = 0; l < strip_lanes; l++) {
      total_[l] += static_cast<double>(some_[l]);
      some_[l] = 0;
    }
  }

 private:
  double* total_;
  Real some_[strip_lanes];
  int rows_ = 0;
};

}  // namespace partita
