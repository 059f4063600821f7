// The [data] section of a deck and the data set it describes.
#pragma once
#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "deck/schema.hpp"

namespace partita::data {

// The keys of [data]: those of DataOptions, and one schema for each type (idx, hdf5, csv and the generated sets).
deck::Section section();

// Reads (rank 0 alone, then broadcast) or generates (every rank) the data of a [data] block. Collective; Failure(data) on all ranks.
Dataset load(deck::Block const&, random::Key, Communicator const&);

}  // namespace partita::data
