# Flags every Partita target shares, in the interface target partita_options.
add_library(partita_options INTERFACE)
target_compile_features(partita_options INTERFACE cxx_std_20)
target_include_directories(partita_options INTERFACE ${CMAKE_SOURCE_DIR}/src)

if(PARTITA_DEVICE_EMULATION)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1")  # looks for errors, and compiles in half the time
else()
  set(CMAKE_CXX_FLAGS_RELEASE "-O3")
endif()

# Headers that nearly every file parses. nvcc cannot precompile them, and with them ccache finds nothing again unless it is told to be sloppy.
set(PARTITA_PRECOMPILED_HEADERS <fmt/format.h> <Kokkos_Core.hpp> <algorithm> <array> <cmath> <filesystem> <functional> <limits> <memory>
  <numeric> <optional> <string> <utility> <vector>)
if(PARTITA_CUDA OR CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()
set(PARTITA_CXX_FLAGS -Wall -Wextra -Wshadow -Wconversion
  -Wno-missing-field-initializers  # designated initializers name what differs from the defaults
  -Wno-virtual-move-assign  # a View that is moved twice, by two bases, is none the worse
  # Without these std::sqrt and float-to-int conversions do not vectorize; NaN checks stay exact (unlike -ffast-math).
  -fno-math-errno -fno-trapping-math
  # Fused multiply-adds only where the code says std::fma, so the bits do not depend on the compiler's mood.
  -ffp-contract=off
  -march=${PARTITA_ARCH})
# GCC 12 sees overflows in fmt 9's buffers that cannot be.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  list(APPEND PARTITA_CXX_FLAGS -Wno-stringop-overflow)
endif()
include(CheckCXXCompilerFlag)
# GCC 12 with AVX-512 stores {a, a, a, b} as {a, a, a, a} when it builds small arrays of constants in wide registers; moves of at most 16
# bytes cure it. The check below proves it for the compiler at hand.
check_cxx_compiler_flag("-mmove-max=128 -mstore-max=128" PARTITA_HAS_MOVE_MAX)
if(PARTITA_HAS_MOVE_MAX)
  list(APPEND PARTITA_CXX_FLAGS -mmove-max=128 -mstore-max=128)
endif()
check_cxx_compiler_flag(-mprefer-vector-width=512 PARTITA_HAS_VECTOR_WIDTH)
if(PARTITA_HAS_VECTOR_WIDTH)
  list(APPEND PARTITA_CXX_FLAGS -mprefer-vector-width=512)
endif()
target_compile_options(partita_options INTERFACE ${PARTITA_CXX_FLAGS})
include(CheckCompilerConstants)

if(PARTITA_WERROR)
  # What GCC's optimiser suspects depends on the processor that is compiled for, and is often wrong.
  target_compile_options(partita_options INTERFACE -Werror
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-error=array-bounds;-Wno-error=maybe-uninitialized;-Wno-error=uninitialized;-Wno-error=restrict>"
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-error=stringop-overflow;-Wno-error=stringop-overread;-Wno-error=nonnull;-Wno-error=dangling-pointer>")
endif()
if(PARTITA_SANITIZE)
  target_compile_options(partita_options INTERFACE -fsanitize=address,undefined -fno-omit-frame-pointer)
  target_link_options(partita_options INTERFACE -fsanitize=address,undefined)
endif()
if(PARTITA_DEVICE_EMULATION)
  target_compile_definitions(partita_options INTERFACE PARTITA_DEVICE_EMULATION)
endif()
if(PARTITA_DOUBLE)
  target_compile_definitions(partita_options INTERFACE PARTITA_DOUBLE)
endif()
