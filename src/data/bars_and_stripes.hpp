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

// Every pattern, one after the other, `copies` times: pattern k < 2^size has the rows that are the bits of k, the others the columns that
// are those of k - 2^size + 1.
Table bars_and_stripes(BarsAndStripes const&);
inline Table bars_and_stripes(Index size) { return bars_and_stripes(BarsAndStripes{size}); }
// `points` independent patterns, each equally likely: point i of set `set` is a function of (key, set, i) alone.
Table drawn_bars_and_stripes(BarsAndStripes const&, random::Key, Index set, Index points);

}  // namespace partita::data
