#include "core/arrays.hpp"

#include <algorithm>

namespace partita {

template Allocated<float*> allocate(std::string const&, bool, std::array<std::size_t, 1> const&);
template Allocated<float**> allocate(std::string const&, bool, std::array<std::size_t, 2> const&);
template Allocated<float***> allocate(std::string const&, bool, std::array<std::size_t, 3> const&);
template Allocated<double*> allocate(std::string const&, bool, std::array<std::size_t, 1> const&);
template Allocated<double**> allocate(std::string const&, bool, std::array<std::size_t, 2> const&);
template Allocated<double***> allocate(std::string const&, bool, std::array<std::size_t, 3> const&);
template Allocated<Index*> allocate(std::string const&, bool, std::array<std::size_t, 1> const&);
template Allocated<std::uint8_t*> allocate(std::string const&, bool, std::array<std::size_t, 1> const&);

void ArrayList::add(std::string const& name, std::vector<Index> const& extents, std::size_t bytes_of_element, bool on_one_rank) {
  double bytes = double(bytes_of_element) * double(on_one_rank ? 1 : copies_);
  for (Index e : extents) bytes *= double(e);
  if (bytes == 0) return;
  auto const same = std::find_if(lines_.begin(), lines_.end(), [&](Line const& l) { return l.name == name && l.extents == extents; });
  if (same != lines_.end()) same->bytes += bytes;
  else lines_.push_back({name, extents, bytes});
}

double ArrayList::bytes() const {
  double sum = 0;
  for (Line const& l : lines_) sum += l.bytes;
  return sum;
}

Arrays Arrays::in(std::string const& group) const {
  Arrays of_group = *this;
  if (!makes()) of_group.group_ += group + ": ";
  return of_group;
}

Arrays Arrays::on_one_rank() const {
  Arrays of_one = *this;
  of_one.on_one_rank_ = true;
  return of_one;
}

}  // namespace partita
