#include "models/entry.hpp"

namespace partita {

std::function<double(Index)> normals(random::Key key) {
  return [key](Index i) {
    auto const w = random::words(key, std::uint64_t(i), random::Stream::parameters, 0, 0);
    return random::normal_pair(w.w[0], w.w[1], double()).a;
  };
}

}  // namespace partita
