#include <gtest/gtest.h>

#include <cstdio>
#include <vector>

#include "comm/parallel_hdf5.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

TEST(ParallelHdf5, ranks_write_one_file_together) {
  Communicator const ranks = Communicator::world();
  std::string path = testing::TempDir() + "partita_parallel_hdf5.h5";
  ranks.broadcast(path);
  hsize_t const all = static_cast<hsize_t>(ranks.ranks()), mine = static_cast<hsize_t>(ranks.rank()), one = 1;
  hid_t const access = H5Pcreate(H5P_FILE_ACCESS);
  use_parallel_access(access, ranks);
  hid_t const transfer = H5Pcreate(H5P_DATASET_XFER);
  ASSERT_GE(H5Pset_dxpl_mpio(transfer, H5FD_MPIO_COLLECTIVE), 0);

  hid_t const file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  ASSERT_GE(file, 0);
  hid_t const space = H5Screate_simple(1, &all, nullptr), row = H5Screate_simple(1, &one, nullptr);
  hid_t const data = H5Dcreate2(file, "rank", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Sselect_hyperslab(space, H5S_SELECT_SET, &mine, nullptr, &one, nullptr), 0);
  int const value = 10 * ranks.rank();
  EXPECT_GE(H5Dwrite(data, H5T_NATIVE_INT, row, space, transfer, &value), 0);
  EXPECT_GE(H5Dclose(data), 0);
  EXPECT_GE(H5Fclose(file), 0);

  hid_t const again = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access);
  ASSERT_GE(again, 0);
  hid_t const written = H5Dopen2(again, "rank", H5P_DEFAULT);
  std::vector<int> values(all, -1);
  EXPECT_GE(H5Dread(written, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, transfer, values.data()), 0);
  for (std::size_t r = 0; r < all; r++) EXPECT_EQ(values[r], 10 * int(r));
  H5Dclose(written);
  H5Fclose(again);
  H5Sclose(row);
  H5Sclose(space);
  H5Pclose(transfer);
  H5Pclose(access);
  ranks.barrier();
  if (ranks.is_root()) std::remove(path.c_str());
}

TEST(ParallelHdf5, refuses_what_is_no_access_list) {
  H5E_BEGIN_TRY { EXPECT_THROW(use_parallel_access(H5P_DEFAULT, Communicator::world()), Failure); }
  H5E_END_TRY
}

}  // namespace
}  // namespace partita
