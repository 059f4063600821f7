// Exits with 0 if Views of the Kokkos at hand can be assigned. Compiled by GCC 12.2 to 12.4, those of Kokkos 4.5, 4.6 and some 5.1 crash
// where a View without memory is assigned another (Kokkos issue 7464).
#include <Kokkos_Core.hpp>
#include <utility>
#include <vector>

using Strided = Kokkos::View<float***, Kokkos::LayoutStride, Kokkos::DefaultExecutionSpace::memory_space>;
using Whole = Kokkos::View<float***, Kokkos::LayoutRight, Kokkos::DefaultExecutionSpace::memory_space>;

struct Holder {
  Strided view;
  Whole storage;
};

bool views_can_be_assigned() {
  Whole const storage("storage", 2, 3, 4);
  Holder a, b;
  b.storage = storage;
  b.view = Kokkos::subview(storage, std::pair(0, 1), Kokkos::ALL, std::pair(0, 2));
  a = b;
  std::vector<Holder> several(3);
  several[1] = std::move(a);
  several[2].view = several[1].view;
  several[0] = several[2];
  return several[0].view.data() == storage.data() && several[0].storage.data() == nullptr;
}

int main(int argc, char** argv) {
  Kokkos::initialize(argc, argv);
  bool const right = views_can_be_assigned();
  Kokkos::finalize();
  return right ? 0 : 1;
}
