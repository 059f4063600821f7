// Bars and stripes (MacKay, Information Theory, Inference, and Learning Algorithms, 2003, section 43.3): images of size x size bits whose
// rows, or whose columns, are all on or all off.
#pragma once
#include "core/random.hpp"
#include "data/table.hpp"

namespace partita::data {

struct BarsAndStripes {
  Index size = 3;
  Index copies = 1;
  Index patterns() const { return (Index{2} << size) - 2; }  // all on and all off are bars and stripes at once
};

// All patterns in order, `copies` times. In pattern k < 2^size row r is on where bit r of k is set; in the others column c is on where bit
// c of k - 2^size + 1 is set.
Table bars_and_stripes(BarsAndStripes const&);
inline Table bars_and_stripes(Index size) { return bars_and_stripes(BarsAndStripes{size}); }
// `points` independent patterns, each equally likely: point i of set `set` is a function of (key, set, i) alone.
Table drawn_bars_and_stripes(BarsAndStripes const&, random::Key, Index set, Index points);

}  // namespace partita::data
