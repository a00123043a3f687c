#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# With any one term of the adjoint deleted, the gradient test must fail.
# mutation.sh [term...]: all terms of src/neuron/terms.hpp, or those named.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t all < <(sed -n 's/^SALTUS_TERM(\([a-z0-9_]*\)).*/\1/p' src/neuron/terms.hpp)
((${#all[@]})) || { echo "no SALTUS_TERM in src/neuron/terms.hpp"; exit 1; }
terms=("${@,,}")
(($#)) || terms=("${all[@]}")
for term in "${terms[@]}"; do
  [[ " ${all[*]} " == *" $term "* ]] || { echo "src/neuron/terms.hpp has no term '$term'"; exit 1; }
done

scripts/build.sh release --target gradient_test_mutable

# A mutant is killed by a failed assertion (exit code 1), not by a crash or a time-out. One failed
# assertion is enough, so the run ends there, and RapidCheck does not look for a smaller case.
export RC_PARAMS="${RC_PARAMS:-} noshrink=1"
logs=build/mutation
mkdir -p "$logs"
# A tenth of the networks comes first: nearly all mutants are found there. Without a mutant both must pass.
attempt() {  # a term, or none
  local code=0 share
  for share in 0.1 1; do
    SALTUS_MUTATION=$1 SALTUS_TEST_SCALE=$share timeout 300 build/tests/gradient_test_mutable \
      --gtest_fail_fast --gtest_catch_exceptions=0 --gtest_brief=1 >"$2/$1.log" 2>&1 || code=$?
    ((code == 0)) || break
  done
  echo "$code" >"$2/$1.code"
}
export -f attempt
rm -f "$logs"/*
printf '%s\n' none "${terms[@]}" | xargs -P "$(nproc)" -I{} bash -c 'attempt {} '"$logs"
passed=0
failed=0
row() {  # term, verdict, what was seen
  if [[ $2 == ok ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  printf '%-28s %-8s %s\n' "$1" "$2" "$3"
}

printf '%-28s %-8s %s\n' "term deleted" "" "gradient test"
code=$(<"$logs/none.code")
if [[ $code == 0 ]]; then
  row "(none)" ok "passes"
else
  row "(none)" WRONG "exit code $code"
  cat "$logs/none.log"
fi
for term in "${terms[@]}"; do
  log=$logs/$term.log
  code=$(<"$logs/$term.code")
  first=$(sed -n 's/^\[  FAILED  \] \([^ ]*\).*/\1/p' "$log" | head -n 1)
  if [[ $code == 1 && -n $first ]]; then
    row "$term" ok "fails: $first"
  elif [[ $code == 0 ]]; then
    row "$term" WRONG "passes"
  else
    row "$term" WRONG "exit code $code without a failed assertion"
    tail -n 5 "$log"
  fi
done
echo "$passed passed, $failed failed"
((failed == 0))
