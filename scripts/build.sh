#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build.sh PRESET [arguments of cmake --build]: configures if needed, then builds.
# build.sh command: only build/saltus, without asking for the test libraries.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
export CCACHE_BASEDIR=$PWD  # the same objects serve another clone
options=()
if [[ $preset == command ]]; then
  preset=release
  options=(-DSALTUS_BUILD_TESTS=OFF)
  set -- --target saltus
elif grep -qsx "SALTUS_BUILD_TESTS:BOOL=OFF" build/CMakeCache.txt && [[ $preset == release ]]; then
  cmake --preset release -DSALTUS_BUILD_TESTS=ON --log-level=NOTICE
fi
dir=build
[[ $preset == release ]] || dir=build-$preset
# A tree that was never configured to the end, or was copied from elsewhere, starts anew.
if [[ ! -f $dir/build.ninja ]] ||
  ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$dir/CMakeCache.txt"; then
  cmake --preset "$preset" --fresh --log-level=NOTICE "${options[@]}"
fi
cmake --build --preset "$preset" "$@"
