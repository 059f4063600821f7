// Free energies and pseudo-likelihoods of items against brute force.
#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "estimators/item_energies.hpp"
#include "models/gaussian_rbm.hpp"
#include "small_machines.hpp"

namespace partita {
namespace {

Communicator ranks() { return Communicator::world(); }

// 600 items in three tiles: item c is state number 7 c modulo the number of states.
constexpr Index count = 600;
Index state_of(Index item, Index units) { return 7 * item % (Index{1} << units); }
ItemTiles items(Index units) {
  return {count, [units](TileStorage to, Tiling const& tiling, TileRange tiles) {
            auto const host = Kokkos::create_mirror_view(to);
            for (Index t = 0; t < tiles.count; t++)
              for (Index l = 0; l < tiling.width; l++)
                for (Index i = 0; i < units; i++)
                  host(t, i, l) = Real(small::unit(state_of(tiling.first_chain(tiles.first + t) + l, units), i));
            copy_array(to, host);
          }};
}

template <class M>
void expect_exact(M model) {
  Index const d = model.visible_dimension();
  auto const p = small::visible_weights(model);
  double free_energy = 0, squares = 0, pseudo = 0;
  for (Index c = 0; c < count; c++) {
    Index const v = state_of(c, d);
    double const f = -std::log(p[v]);
    free_energy += f / count, squares += f * f / count;
    for (Index k = 0; k < d; k++) {
      double const here = p[v], flipped = p[v ^ (Index{1} << k)];
      pseudo += std::log(here / (here + flipped)) / count;
    }
  }
  auto const found = mean_free_energy(model, items(d), ranks());
  EXPECT_NEAR(found.value, free_energy, small::rounding);
  EXPECT_NEAR(found.error, std::sqrt((squares - free_energy * free_energy) / (count - 1)), small::rounding);
  EXPECT_NEAR(mean_pseudo_likelihood(model, items(d), ranks()).value, pseudo, small::rounding);
}
TEST(ItemEnergies, Rbm) { expect_exact(small::rbm(8, 5, 1)); }
TEST(ItemEnergies, FullyVisibleMachine) { expect_exact(small::machine(7, 0, 1)); }
TEST(ItemEnergies, HiddenUnitsEnumerated) { expect_exact(small::machine(5, 4, 1)); }

TEST(ItemEnergies, Refusals) {
  BoltzmannMachine many = small::machine(3, 17, 0.1);
  EXPECT_THROW(mean_free_energy(many, items(3), ranks()), Failure);
  GaussianRbm real({.visible = 3, .hidden = 2, .visible_units = "gaussian"});
  EXPECT_THROW(mean_pseudo_likelihood(real, items(3), ranks()), Failure);
}

}  // namespace
}  // namespace partita
