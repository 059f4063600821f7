# cmake -DSOURCE=... -DOUTPUT=... -P git_revision.cmake: writes the revision of the sources as a header, which is touched only when it changes.
cmake_minimum_required(VERSION 3.22)
set(hash unknown)
set(modified false)
find_package(Git QUIET)
if(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --short=12 HEAD WORKING_DIRECTORY ${SOURCE}
                  RESULT_VARIABLE failed OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT_EXECUTABLE} rev-parse --show-cdup WORKING_DIRECTORY ${SOURCE}
                  OUTPUT_VARIABLE up OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  # An unpacked archive inside somebody's repository has none of its own.
  if(NOT failed AND up STREQUAL "")
    set(hash ${head})
    execute_process(COMMAND ${GIT_EXECUTABLE} status --porcelain -- src cmake CMakeLists.txt WORKING_DIRECTORY ${SOURCE}
                    OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes)
      set(modified true)
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "// Known when building.
#pragma once

namespace partita::build {
constexpr char const* git_hash = \"${hash}\";
constexpr bool git_modified = ${modified};
}  // namespace partita::build
")
