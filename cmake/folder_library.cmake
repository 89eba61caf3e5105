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
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized -Wno-array-bounds)
    endif()
    target_compile_options(${target} PRIVATE -fsanitize=${PGSLUICE_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${PGSLUICE_SANITIZE})
  endif()
endfunction()

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
  set_property(GLOBAL APPEND PROPERTY PGSLUICE_LIBRARIES ${target})
endfunction()
