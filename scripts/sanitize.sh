#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sanitize.sh [ROOM...]: the C++ tests of these rooms under the address and undefined-behaviour sanitizers, small
# (by default those that read and write files, and what of the engine runs in seconds; all: make asan, make tsan).
# Without optimisation clang compiles it in a third of the time.
set -euo pipefail
cd "$(dirname "$0")/.."
rooms=("$@")
[[ ${#rooms[@]} -gt 0 ]] || rooms=(archive data faults hdf5 loss network observe spikes store)
scripts/build.sh asan-quick --target "${rooms[@]/%/_test}"
SALTUS_TEST_SCALE=${SALTUS_TEST_SCALE:-0.02} \
  ctest --preset asan-quick -j "$(nproc)" --progress -L "^($(IFS='|'; echo "${rooms[*]}"))\$"
