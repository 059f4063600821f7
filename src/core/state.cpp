#include "core/state.hpp"

namespace partita {
namespace {

Elements consecutive(char* data, std::size_t bytes, Index count, bool on_host) { return {data, bytes, 1, {count}, {1}, on_host}; }

}  // namespace

StateField State::field(std::string name, Element element, Elements const& all, std::shared_ptr<void const> owner) {
  StateField f;
  f.name = std::move(name);
  f.element = element;
  f.extents.assign(all.extents.begin(), all.extents.begin() + all.rank);
  Index const row = f.elements_of_row();
  auto const here = [all, row, owner](Index first, Index count) {
    return consecutive(all.data + first * row * Index(all.bytes), all.bytes, count * row, all.on_host);
  };
  auto const on_host = [all, row](void const* p, Index count) {
    return consecutive(static_cast<char*>(const_cast<void*>(p)), all.bytes, count * row, true);
  };
  f.save_rows = [=](void* to, Index first, Index count) { copy_elements(on_host(to, count), here(first, count)); };
  f.restore_rows = [=](void const* from, Index first, Index count) { copy_elements(here(first, count), on_host(from, count)); };
  return f;
}

}  // namespace partita
