# Everything Partita links to, each as one imported or interface target.
find_package(MPI REQUIRED COMPONENTS C)
set(HDF5_PREFER_PARALLEL ON)
# HDF5's compiler wrapper does not quote file names: in a folder with a space CMake must be told where HDF5 is.
if(CMAKE_BINARY_DIR MATCHES " " AND NOT HDF5_ROOT)
  find_package(PkgConfig REQUIRED)
  pkg_search_module(HDF5_PC hdf5-mpi hdf5)
  string(REGEX REPLACE "/lib(64)?$" "" HDF5_ROOT "${HDF5_PC_LIBRARY_DIRS}")
endif()
find_package(HDF5 REQUIRED COMPONENTS C HL)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "This HDF5 is serial. Partita writes from all ranks: install a parallel HDF5 (Debian: libhdf5-openmpi-dev; Spack: hdf5 +mpi +hl).")
endif()
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json 3.7 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)  # 3.3 or later; its package refuses requests across major versions, so none is named

include(FindKokkosAnywhere)

# MPI is C only here: its C++ bindings are obsolete and full of warnings.
add_library(partita_mpi INTERFACE)
target_link_libraries(partita_mpi INTERFACE MPI::MPI_C)
target_compile_definitions(partita_mpi INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)

add_library(partita_hdf5 INTERFACE)
target_include_directories(partita_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS} ${HDF5_INCLUDE_DIRS})
target_link_libraries(partita_hdf5 INTERFACE ${HDF5_C_HL_LIBRARIES} ${HDF5_C_LIBRARIES} partita_mpi)

find_path(RANDOM123_INCLUDE_DIR Random123/philox.h REQUIRED)
add_library(partita_random123 INTERFACE)
target_include_directories(partita_random123 SYSTEM INTERFACE ${RANDOM123_INCLUDE_DIR})

# toml++ stays in one translation unit (its headers take ten seconds to compile).
find_package(PkgConfig REQUIRED)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)

# Matrix products: oneDNN for float, any CBLAS for the double build, cuBLAS on GPUs.
add_library(partita_blas INTERFACE)
if(PARTITA_CUDA)
  find_package(CUDAToolkit REQUIRED)
  target_link_libraries(partita_blas INTERFACE CUDA::cublas)
elseif(PARTITA_DOUBLE)
  find_package(BLAS REQUIRED)
  find_path(CBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas x86_64-linux-gnu REQUIRED)
  target_include_directories(partita_blas SYSTEM INTERFACE ${CBLAS_INCLUDE_DIR})
  target_link_libraries(partita_blas INTERFACE BLAS::BLAS)
else()
  # Not through oneDNN's own CMake package: Debian's asks for OpenCL, which nothing here uses.
  find_path(DNNL_INCLUDE_DIR dnnl.h REQUIRED)
  find_library(DNNL_LIBRARY dnnl REQUIRED)
  target_include_directories(partita_blas SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
  target_link_libraries(partita_blas INTERFACE ${DNNL_LIBRARY})
endif()

if(PARTITA_CUDA)
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS} REQUIRED)
  find_library(NCCL_LIBRARY nccl HINTS ${CUDAToolkit_LIBRARY_DIR} REQUIRED)
  add_library(partita_nccl INTERFACE)
  target_include_directories(partita_nccl SYSTEM INTERFACE ${NCCL_INCLUDE_DIR})
  target_link_libraries(partita_nccl INTERFACE ${NCCL_LIBRARY} CUDA::cudart)
  # {fmt} 9 turns constexpr off under nvcc, and is then no valid C++20.
  target_compile_definitions(partita_options INTERFACE PARTITA_CUDA FMT_USE_CONSTEXPR=1)
endif()
