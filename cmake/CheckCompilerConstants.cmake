# Refuses a compiler that, with the flags of this build, changes constants: compiler_constants.cpp says how.
string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
list(JOIN PARTITA_CXX_FLAGS " " flags)
set(flags "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}} ${flags}")
string(SHA256 key "${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION} ${flags}")
if(NOT PARTITA_CONSTANTS_CHECKED STREQUAL key)
  try_run(ran built ${CMAKE_BINARY_DIR}/compiler_constants ${CMAKE_CURRENT_LIST_DIR}/compiler_constants.cpp
    CMAKE_FLAGS "-DCMAKE_CXX_FLAGS=${flags}" "-DCMAKE_BUILD_TYPE=" "-DCMAKE_CXX_STANDARD=20"
    COMPILE_OUTPUT_VARIABLE compiler_says RUN_OUTPUT_VARIABLE program_says)
  if(NOT built)
    message(FATAL_ERROR "The compiler cannot build a small program with the flags of this build (${flags}):\n${compiler_says}")
  elseif(ran STREQUAL "FAILED_TO_RUN")
    message(WARNING "A program built with the flags of this build does not run here (PARTITA_ARCH=${PARTITA_ARCH}), so whether the compiler "
      "keeps constants is not known: run the unit tests where it does.")
  elseif(NOT ran EQUAL 0)
    message(FATAL_ERROR "${CMAKE_CXX_COMPILER} ${CMAKE_CXX_COMPILER_VERSION} changes constants with the flags of this build (${flags}):\n"
      "${program_says}Use another compiler, or set PARTITA_ARCH=x86-64-v3.")
  else()
    set(PARTITA_CONSTANTS_CHECKED ${key} CACHE INTERNAL "Compiler and flags that keep constants")
  endif()
endif()
