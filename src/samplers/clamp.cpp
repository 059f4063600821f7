#include "samplers/clamp.hpp"

#include <algorithm>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "models/items.hpp"

namespace partita {
namespace {

// Flags the units from pairs of a first and a last unit.
void mark(std::vector<std::uint8_t>& flags, std::vector<Index> const& pairs) {
  auto const units = std::ssize(flags);
  require_all(pairs.size() % 2 == 0, ExitCode::usage,
              "clamp.units has {} numbers (they are pairs of a first and a last unit); write [0, 391], or [7, 7] for one unit",
              pairs.size());
  for (std::size_t k = 0; k < pairs.size(); k += 2) {
    Index const first = pairs[k], last = pairs[k + 1];
    require_all(first <= last && last < units, ExitCode::usage,
                "clamp.units names the units {} to {}, but the visible units of this model are 0 to {}; correct the pair", first, last,
                units - 1);
    std::fill(flags.begin() + first, flags.begin() + last + 1, std::uint8_t{1});
  }
}

// Flags rows and columns of images with the stored shape (rows, columns) or (rows, columns, channels), in all channels.
void mark_image(std::vector<std::uint8_t>& flags, std::vector<Index> const& shape, ClampOptions const& o) {
  if (o.rows.empty() && o.columns.empty()) return;
  require_all(shape.size() >= 2, ExitCode::usage,
              "clamp.rows and clamp.columns are for images, but there is no [data] of images; add it, or use clamp.units");
  auto const range = [](std::vector<Index> const& pair, Index count, char const* name) {
    if (pair.empty()) return std::pair(Index{0}, count - 1);
    require_all(pair[0] <= pair[1] && pair[1] < count, ExitCode::usage,
                "clamp.{} = [{}, {}], but the images have the {} 0 to {}; correct it", name, pair[0], pair[1], name, count - 1);
    return std::pair(pair[0], pair[1]);
  };
  auto const [top, bottom] = range(o.rows, shape[0], "rows");
  auto const [left, right] = range(o.columns, shape[1], "columns");
  Index const depth = std::ssize(flags) / (shape[0] * shape[1]);
  for (Index r = top; r <= bottom; r++)
    std::fill_n(flags.begin() + (r * shape[1] + left) * depth, (right - left + 1) * depth, std::uint8_t{1});
}

std::vector<std::uint8_t> held_units(Model const& model, data::Dataset const* data, ClampOptions const& o) {
  std::vector<std::uint8_t> flags(model.visible_dimension());
  mark(flags, o.units);
  mark_image(flags, data ? data->shape() : std::vector<Index>{}, o);
  if (o.complement)
    for (auto& flag : flags) flag = !flag;
  auto const held = std::count(flags.begin(), flags.end(), 1);
  require_all(held > 0, ExitCode::usage, "[clamp] holds no unit; name some by clamp.units, rows or columns, or remove the section");
  require_all(held < model.dimension(), ExitCode::usage, "[clamp] holds all {} units, so that nothing is left to sample; name fewer", held);
  flags.resize(model.dimension());
  return flags;
}

void require_values(std::vector<std::uint8_t> const& held, std::vector<double> const& possible, std::vector<double> const& values) {
  for (double v : values)
    require_all(possible.empty() || std::find(possible.begin(), possible.end(), v) != possible.end(), ExitCode::usage,
                "clamp.values has {}, but the units of this model are {} or {}; use these values", v,
                possible.empty() ? 0 : possible.front(), possible.empty() ? 0 : possible.back());
  auto const count = std::size_t(std::count(held.begin(), held.end(), 1));
  require_all(values.size() == 1 || values.size() == count, ExitCode::usage,
              "clamp.values has {} numbers, but {} units are held; give one for all, or one for each in ascending order", values.size(),
              count);
}

data::Split split_of(ClampOptions const& o) {
  return o.split == "test" ? data::Split::test : o.split == "validation" ? data::Split::validation : data::Split::train;
}

void require_items(data::Dataset const& data, ClampOptions const& o) {
  Index const all = data.size(split_of(o)), items = o.items > 0 ? o.items : all;
  require_all(all > 0, ExitCode::usage, "clamp.split = \"{}\", but {} has no such items; use another split, or set data.test_fraction",
              o.split, data.source());
  require_all(items <= all, ExitCode::usage, "clamp.items = {}, but {} has {} {} items; use at most that many", items, data.source(), all,
              o.split);
}

// Values of all units for each chain; only those of held units are used.
void fill(TileStorage to, Chains const& chains, std::vector<std::uint8_t> const& held, data::Dataset const* data, ClampOptions const& o) {
  if (!o.values.empty()) {
    std::size_t next = 0;
    for (std::size_t i = 0; i < held.size(); i++)
      if (held[i]) fill_array(Kokkos::subview(to, Kokkos::ALL, i, Kokkos::ALL), Real(o.values[o.values.size() == 1 ? 0 : next++]));
    return;
  }
  data::Split const split = split_of(o);
  Index const items = o.items > 0 ? o.items : data->size(split);
  data->fill(to, chains.tiling, chains.mine, [&](Index chain) { return data->item(split, chain % items); });
}

}  // namespace

deck::Section clamp_section() {
  using O = ClampOptions;
  return {
      .name = "clamp",
      .doc = "visible units that are held while the others are sampled given them; chain c shows item c of [data], or constant values",
      .common = {deck::key("units", &O::units, "units held, pairs of a first and a last one: [0, 391], or [3, 3, 10, 12]").at_least(0),
                 deck::key("rows", &O::rows, "images: first and last row held").at_least(0).of_length(2),
                 deck::key("columns", &O::columns, "images: first and last column held; with rows a rectangle").at_least(0).of_length(2),
                 deck::key("complement", &O::complement, "true: the given units are free, and all others are held").formerly("others"),
                 deck::key("values", &O::values, "held values: one for all, or one for each held unit; left out: those of [data]")
                     .excludes({"split", "items"}),
                 deck::key("split", &O::split, "which items of [data] give the held values").one_of({"train", "validation", "test"}),
                 deck::key("items", &O::items, "number of items: chain c shows item c mod items; 0: all").at_least(0)},
      .tasks = {"sample"},
      .asks_by_presence = true};
}

void require_clampable(Model const& model, data::Dataset const* data, ClampOptions const& o) {
  require_all(!o.values.empty() || data != nullptr, ExitCode::usage,
              "[clamp] shows items of [data], but there is none; add it, or give clamp.values");
  require_all(data == nullptr || data->dimension() == model.visible_dimension(), ExitCode::usage,
              "[clamp] shows items of {} numbers ({}), but the model has {} visible units; they must agree", data ? data->dimension() : 0,
              data ? data->source() : "", model.visible_dimension());
  auto const held = held_units(model, data, o);
  if (o.values.empty()) require_items(*data, o);
  else require_values(held, unit_values(model), o.values);
}

Index units_left_free(Model const& model, data::Dataset const* data, ClampOptions const& o) {
  auto const held = held_units(model, data, o);
  return std::count(held.begin(), held.end(), 0);
}

void clamp(Chains& chains, Model const& model, data::Dataset const* data, ClampOptions const& o) {
  auto const flags = held_units(model, data, o);
  TileStorage const shown("clamped values", chains.mine.count, data ? data->dimension() : model.dimension(), chains.tiling.pitch());
  fill(shown, chains, flags, data, o);

  DeviceVector<std::uint8_t> const held("held units", flags.size());
  copy_array(held, flags);
  auto const x = chains.x;
  Index const rows = extent(shown, 1), pitch = chains.tiling.pitch();
  Kokkos::parallel_for(
      "partita::clamp", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, chains.mine.count * rows * pitch),
      KOKKOS_LAMBDA(Index n) {
        Index const lane = n % pitch, i = n / pitch % rows, tile = n / pitch / rows;
        if (held(i)) x(tile, i, lane) = shown(tile, i, lane);
      });
  chains.held = held;
}

}  // namespace partita
