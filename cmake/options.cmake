# SPDX-License-Identifier: Apache-2.0
# How everything of ours is compiled: link to saltus_options.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)  # calls within the Python module need no table of symbols
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(saltus_options INTERFACE)
target_include_directories(saltus_options INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(saltus_options INTERFACE Threads::Threads)

# No -march=native: a binary runs on any machine of its architecture, kernels dispatch at run time.
# No -ffast-math: it reorders sums, and results would change with the compiler.
# -ffp-contract=off: a compiler may otherwise fuse a*b + c where it likes, differently per call site,
# version and target, and then the same source no longer gives the same bits. Kernels that want a
# fused multiply-add ask for it by name.
target_compile_options(
  saltus_options
  INTERFACE -ffp-contract=off
            -fno-math-errno     # nobody reads errno after a math call; lets sqrt be an instruction
            -fno-trapping-math  # nobody reads floating-point exception flags; lets branches be vectors
            -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # Wrong alarms of gcc 12 inside std::string at -O3 (GCC bug 105651).
  target_compile_options(saltus_options INTERFACE -Wno-restrict)
endif()
if(SALTUS_WERROR)
  target_compile_options(saltus_options INTERFACE -Werror)
endif()

if(SALTUS_SANITIZE)
  set(flags -fsanitize=${SALTUS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_compile_options(saltus_options INTERFACE ${flags})
  target_link_options(saltus_options INTERFACE ${flags})
endif()
if(SALTUS_SANITIZE MATCHES "thread")
  # The sanitizer cannot see how oneTBB, built without it, orders its threads, and takes every
  # parallel loop for a race. simulate/parallel.hpp then takes std::jthread in its place.
  target_compile_definitions(saltus_options INTERFACE SALTUS_WITHOUT_TBB=1)
endif()

if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  target_link_options(saltus_options INTERFACE -Wl,--as-needed)
endif()

if(SALTUS_MUTABLE)
  message(WARNING "SALTUS_MUTABLE: gradients are wrong on purpose where SALTUS_MUTATION names a term")
  target_compile_definitions(saltus_options INTERFACE SALTUS_MUTABLE)
endif()
