// The [data] section of a deck and the data set it describes.
#pragma once
#include "comm/communicator.hpp"
#include "core/arrays.hpp"
#include "data/dataset.hpp"
#include "deck/schema.hpp"

namespace partita::data {

// The keys of [data]: those of DataOptions, and one schema for each type (idx, hdf5, csv and the generated sets).
deck::Section section();

// Reads (rank 0 alone, then broadcast) or generates (every rank) the data of a [data] block. Collective; Failure(data) on all ranks.
Dataset load(deck::Block const&, random::Key, Communicator const&);

// Whether the data of a [data] block are generated from its keys, so that it names no file.
bool is_generated(deck::Block const&);

// What a [data] block has on each rank: rows, those of a test source among them, and entries of a row.
struct Size {
  Index rows, test_rows, entries;
};
// Lists what a rank holds of the data, and what it holds beside while they are read. From generators' options, or files' headers where they
// have one; not collective. Failure(data).
Size list(Arrays held, Arrays reading, deck::Block const&);

}  // namespace partita::data
