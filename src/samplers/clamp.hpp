// [clamp]: visible units that chains hold while the others are drawn given them, for inpainting and conditional samples.
#pragma once
#include "data/dataset.hpp"
#include "deck/document.hpp"
#include "models/model.hpp"
#include "samplers/chains.hpp"

namespace partita {

struct ClampOptions {
  std::vector<Index> units, rows, columns;
  bool complement = false;
  std::vector<double> values;
  std::string split = "test";
  Index items = 0;
};
deck::Section clamp_section();

// Failure(usage) for units or items that do not exist and for constants that the units cannot have. `data` may be null where constants
// are given.
void require_clampable(Model const&, data::Dataset const* data, ClampOptions const&);
// How many of the model's units, hidden ones included, these options leave free.
Index units_left_free(Model const&, data::Dataset const* data, ClampOptions const&);
// Marks the units that the options name as held and writes their values into all lanes: the constants, or those of the data's item
// c mod items for chain c. They are clampable, and the items fit the units (unit_kernels.hpp).
void clamp(Chains&, Model const&, data::Dataset const* data, ClampOptions const&);

}  // namespace partita
