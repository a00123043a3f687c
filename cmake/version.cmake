# SPDX-License-Identifier: Apache-2.0
# saltus/version.hpp is configured once; the git commit is looked up at every build, in a source of
# its own, so that a commit recompiles one small file.
set(SALTUS_GENERATED_INCLUDE ${PROJECT_BINARY_DIR}/generated/include)
set(SALTUS_VERSION_SOURCE ${PROJECT_BINARY_DIR}/generated/version.cpp)
configure_file(include/saltus/version.hpp.in ${SALTUS_GENERATED_INCLUDE}/saltus/version.hpp @ONLY)
target_include_directories(saltus_options INTERFACE ${SALTUS_GENERATED_INCLUDE})

find_package(Git QUIET)
add_custom_target(
  saltus_git_commit
  COMMAND ${CMAKE_COMMAND} -DGIT=${GIT_EXECUTABLE} -DSOURCE=${PROJECT_SOURCE_DIR}
          -DOUTPUT=${SALTUS_VERSION_SOURCE} -P ${PROJECT_SOURCE_DIR}/cmake/git_commit.cmake
  BYPRODUCTS ${SALTUS_VERSION_SOURCE}
  COMMENT "Looking up the git commit"
  VERBATIM)
