#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh [SECONDS] [KIND...]: libFuzzer with the address and undefined-behaviour sanitizers on each
# reader of files, for so long (default 20), from the files of tests/fuzz/corpus/; as many at once as there
# are processors. What it found lies in build/fuzz/KIND/. Only the rooms that read are built anew; the rest is that of the release build.
# HDF5 has no target: each file is read in a process of its own, which libFuzzer cannot see into
# (scripts/hostile.py damages those).
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-20}
kinds=("${@:2}")
[[ ${#kinds[@]} -gt 0 ]] || kinds=(idx model checkpoint settings toml recording metrics)

scripts/build.sh release --target saltus_core
out=build/fuzz
mkdir -p "$out"
rm -f "$out"/*.o  # what does not compile must not be linked as it was
flags=(-std=c++20 -O1 -g -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -Iinclude -Isrc -Itests
  -Ibuild/generated/include -isystem /usr/include/hdf5/serial -DFMT_SHARED -DHWY_SHARED_DEFINE
  -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
compile() {
  ccache clang++-14 "${flags[@]}" -fsanitize=fuzzer-no-link -c "$1" -o "$out/$(tr / _ <<<"$1").o"
}
export -f compile
rooms=(src/archive/*.cpp src/data/*.cpp src/hdf5/*.cpp src/store/*.cpp)
objects=()
for source in "${rooms[@]}"; do
  while (($(jobs -r | wc -l) >= $(nproc))); do wait -n; done
  compile "$source" &
  objects+=("$out/$(tr / _ <<<"$source").o")
done
wait
# The objects stand before the library in the link, so that its own are not taken.
for kind in "${kinds[@]}"; do
  ccache clang++-14 "${flags[@]}" -fsanitize=fuzzer-no-link -DSALTUS_KIND="\"$kind\"" \
    -c tests/fuzz/fuzz.cpp -o "$out/$kind.o"
  clang++-14 "${flags[@]}" -fsanitize=fuzzer "$out/$kind.o" "${objects[@]}" build/libsaltus.a \
    -lfmt -lhwy -lz -ltbb -L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5 -o "$out/fuzz_$kind"
done
run() {  # a kind: exit code 1 if it finds something
  local logs=build/fuzz kind=$1
  mkdir -p "$logs/$kind" "$logs/found/$kind"
  "$logs/fuzz_$kind" -max_total_time="$2" -timeout=5 -rss_limit_mb=1000 -max_len=16384 \
    -verbosity=0 -print_funcs=0 -print_final_stats=1 -artifact_prefix="$logs/$kind/" \
    "$logs/found/$kind" "tests/fuzz/corpus/$kind" >"$logs/$kind.log" 2>&1 || local code=1
  echo "-- $kind"
  grep -E "^stat::(number|peak)|runtime error|^SUMMARY|unit written|libFuzzer:" "$logs/$kind.log"
  return "${code:-0}"
}
export -f run
printf '%s\n' "${kinds[@]}" | xargs -P "$(nproc)" -I{} bash -c 'run {} '"$seconds"
