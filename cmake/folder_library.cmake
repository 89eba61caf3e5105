# One static library a folder. Includes are paths from the repository's root, or "pgsluice/…" of include/, which alone is
# installed.

find_program(PGSLUICE_CCACHE ccache)
if(PGSLUICE_CCACHE)
  # Paths below the source folder count relatively, so that another clone finds what this one has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=true
                                  CCACHE_SLOPPINESS=pch_defines,time_macros
                                  ${PGSLUICE_CCACHE})
endif()

function(pgsluice_compile_options target)
  # Options are structs with defaults, of which a caller names those that it changes: no field is forgotten.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow
                                           -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 warns of the standard library's own string concatenation (its bug 105651).
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  if(PGSLUICE_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(PGSLUICE_SANITIZE)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      # What sanitizers put in hides from GCC that the standard library's regex sets its members before it reads them, and
      # makes it see strings longer than they are (under the thread sanitizer, in a test's literals).
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow)
      # Boost.Asio has fences, which the thread sanitizer does not follow.
      if(PGSLUICE_SANITIZE STREQUAL thread)
        target_compile_options(${target} PRIVATE -Wno-tsan)
      endif()
    endif()
    target_compile_options(${target} PRIVATE -fsanitize=${PGSLUICE_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${PGSLUICE_SANITIZE})
  endif()
endfunction()

# pgsluice_compile_together(<target>): several files become one, which reads their headers and makes what they need of
# templates once: half of the time of a build from nothing. So names of a folder's anonymous namespaces differ.
function(pgsluice_compile_together target)
  if(PGSLUICE_FAST_BUILD)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      # It takes a class of one file for one of a header, which may not have members of types of that file.
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
    endif()
  endif()
endfunction()

# pgsluice_optimize_fully(<file>...): files with loops over rows, which gain from it: rows of 50 bytes cross with a tenth
# less of the processor's time.
function(pgsluice_optimize_fully)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-O3>"
                                                 SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# pgsluice_read_compiled_headers(<target> FROM <other>): the headers that <other> has compiled, compiled once for all that
# read them. -pthread comes with some libraries and not with others; all that read the same headers need it alike. A file
# names what it uses all the same; the preset dev builds without.
function(pgsluice_read_compiled_headers target FROM other)
  if(PGSLUICE_FAST_BUILD)
    target_compile_options(${target} PRIVATE -pthread -fpch-preprocess)
    target_precompile_headers(${target} REUSE_FROM ${other})
  endif()
endfunction()

# pgsluice_compile_headers(<target> LINKS … HEADERS …): a target for the above.
function(pgsluice_compile_headers target)
  cmake_parse_arguments(ARG "" "" "LINKS;HEADERS" ${ARGN})
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp CONTENT "")
  add_library(${target} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp)
  target_link_libraries(${target} PRIVATE ${ARG_LINKS})
  pgsluice_compile_options(${target})
  if(PGSLUICE_FAST_BUILD)
    target_compile_options(${target} PRIVATE -pthread -fpch-preprocess)
    target_precompile_headers(${target} PRIVATE ${ARG_HEADERS})
  endif()
endfunction()

# Those of all folders.
pgsluice_compile_headers(pgsluice_headers LINKS fmt::fmt HEADERS
  <algorithm> <array> <atomic> <chrono> <condition_variable> <filesystem> <fstream> <functional> <map> <memory> <mutex>
  <optional> <set> <span> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector> <fmt/format.h>
  <fmt/ranges.h>)

# pgsluice_folder_library(<folder> SOURCES ... LINKS ...): a library of one folder, pgsluice::<folder> ("pipeline/plan" is
# pgsluice::pipeline_plan). Only what LINKS reaches may be included, which cmake/check_includes.cmake checks.
function(pgsluice_folder_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  string(REPLACE "/" "_" name ${folder})
  set(target pgsluice_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(pgsluice::${name} ALIAS ${target})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                              $<INSTALL_INTERFACE:include>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_link_libraries(${target} PUBLIC ${ARG_LINKS})
  pgsluice_compile_options(${target})
  pgsluice_read_compiled_headers(${target} FROM pgsluice_headers)
  pgsluice_compile_together(${target})
  set_property(GLOBAL APPEND PROPERTY PGSLUICE_LIBRARIES ${target})
endfunction()
