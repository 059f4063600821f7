# Kokkos 3.4.1 to 5.x as the one target partita_kokkos: a Kokkos installation, Debian's libtrilinos-kokkos-dev, or (on request) a download.
find_package(Kokkos QUIET CONFIG)
add_library(partita_kokkos INTERFACE)
if(NOT TARGET Kokkos::kokkos AND PARTITA_FETCH_KOKKOS)
  include(FetchContent)
  # The first release for CUDA 13. Its Views without mdspan are those that GCC 12.2 to 12.4 compile right (Kokkos issue 7464).
  FetchContent_Declare(Kokkos GIT_REPOSITORY https://github.com/kokkos/kokkos.git GIT_TAG 4.7.01)
  set(Kokkos_ENABLE_IMPL_MDSPAN OFF CACHE BOOL "Views of Kokkos by std::mdspan")
  set(Kokkos_ENABLE_SERIAL ON CACHE BOOL "Kokkos on one thread")
  set(Kokkos_ENABLE_CUDA ${PARTITA_CUDA} CACHE BOOL "Kokkos on NVIDIA GPUs; which ones: -DKokkos_ARCH_HOPPER90=ON and the like")
  FetchContent_MakeAvailable(Kokkos)
endif()
if(NOT TARGET Kokkos::kokkos)
  message(FATAL_ERROR "Kokkos was not found. Debian: apt install libtrilinos-kokkos-dev; Spack: spack install kokkos; or -DPARTITA_FETCH_KOKKOS=ON with internet access.")
endif()
if(PARTITA_DEVICE_EMULATION AND NOT Kokkos_VERSION VERSION_LESS 4)
  message(FATAL_ERROR "The emulated device is made for Kokkos 3.4 to 3.7 (Debian: libtrilinos-kokkos-dev); this one is ${Kokkos_VERSION} in ${Kokkos_DIR}.")
endif()
get_target_property(PARTITA_KOKKOS_LINKS Kokkos::kokkos INTERFACE_LINK_LIBRARIES)
if(PARTITA_KOKKOS_LINKS MATCHES "trilinos")
  # Debian's package names an include directory that does not hold the headers, so they are looked for directly.
  find_path(PARTITA_KOKKOS_INCLUDE Kokkos_Core.hpp PATH_SUFFIXES trilinos REQUIRED)
  find_library(PARTITA_KOKKOS_LIBRARY trilinos_kokkoscore REQUIRED)
  target_include_directories(partita_kokkos SYSTEM INTERFACE ${PARTITA_KOKKOS_INCLUDE})
  target_link_libraries(partita_kokkos INTERFACE ${PARTITA_KOKKOS_LIBRARY} ${CMAKE_DL_LIBS})
else()
  target_link_libraries(partita_kokkos INTERFACE Kokkos::kokkos)
endif()

# Refuses a Kokkos whose Views this compiler breaks: kokkos_views.cpp says how. A build for GPUs, or for another machine, cannot be tried here.
string(SHA256 key "${CMAKE_CXX_COMPILER_VERSION} ${Kokkos_VERSION} ${Kokkos_DIR} ${PARTITA_KOKKOS_LIBRARY}")
if(NOT PARTITA_CUDA AND NOT PARTITA_FETCH_KOKKOS AND NOT PARTITA_VIEWS_CHECKED STREQUAL key)
  if(PARTITA_KOKKOS_LIBRARY)
    set(kokkos ${PARTITA_KOKKOS_LIBRARY} ${CMAKE_DL_LIBS})
  else()
    set(kokkos Kokkos::kokkos)
  endif()
  try_run(ran built ${CMAKE_BINARY_DIR}/kokkos_views ${CMAKE_CURRENT_LIST_DIR}/kokkos_views.cpp
    CMAKE_FLAGS "-DCMAKE_CXX_FLAGS=-O2 -w ${CMAKE_CXX_FLAGS}" "-DINCLUDE_DIRECTORIES=${PARTITA_KOKKOS_INCLUDE}" "-DCMAKE_BUILD_TYPE="
      "-DCMAKE_CXX_STANDARD=20"
    LINK_LIBRARIES ${kokkos}
    COMPILE_OUTPUT_VARIABLE compiler_says RUN_OUTPUT_VARIABLE program_says)
  if(NOT built)
    message(FATAL_ERROR "A small program cannot be built with this Kokkos (${Kokkos_VERSION}, ${Kokkos_DIR}):\n${compiler_says}")
  elseif(NOT ran EQUAL 0)
    message(FATAL_ERROR "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} breaks the Views of this Kokkos (${Kokkos_VERSION}, "
      "${Kokkos_DIR}), which crash or lose their memory when they are assigned (Kokkos issue 7464). Use another version of Kokkos (3.4.1 "
      "works), one built with -DKokkos_ENABLE_IMPL_MDSPAN=OFF (which 4.x has), or another compiler. A small program ended with ${ran}:\n${program_says}")
  endif()
  set(PARTITA_VIEWS_CHECKED ${key} CACHE INTERNAL "Compiler and Kokkos whose Views can be assigned")
endif()
