#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# wheel.sh [PYTHON]: a wheel in dist/, its shared libraries inside, tried in an empty environment.
#
# With CPython 3.12 or later it serves every later one too (stable ABI); with 3.11 only that.
# The C++ libraries that scripts/setup.sh build installs must be there.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
most=15 # MB
tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
work=build-wheel/$tag
export CCACHE_BASEDIR=$PWD

echo "-- build ($tag)"
rm -rf "$work/tools" "$work/raw" "$work/try"
"$python" -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --disable-pip-version-check -r scripts/requirements-wheel.txt
# -Werror as in the release build: ccache has most objects.
"$work/tools/bin/pip" wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  -C build-dir="$work/cmake" -C cmake.define.SALTUS_WERROR=ON --wheel-dir "$work/raw" .

echo "-- shared libraries inside"
PATH="$PWD/$work/tools/bin:$PATH" auditwheel repair --strip --wheel-dir dist "$work"/raw/*.whl
wheel=$(ls -t dist/saltus-*.whl | head -n 1)
size=$(stat -c %s "$wheel")
echo "$wheel: $((size / 1000)) kB"
((size < most * 1000000)) || { echo "larger than $most MB"; exit 1; }

echo "-- in an empty environment"
"$python" -m venv "$work/try"
"$work/try/bin/pip" install --quiet --disable-pip-version-check "$wheel"
# The first block of Python of the README, away from this folder.
sed -n '/^```python$/,/^```$/{/^```/d;p};' README.md >"$work/example.py"
(cd / && "$OLDPWD/$work/try/bin/python" "$OLDPWD/$work/example.py")
"$work/try/bin/python" - <<'END'
import os, subprocess, sys

def seconds(code):  # of the processor: other work on the machine does not count
    before = os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])

took = min(seconds("import saltus") for _ in range(7)) - min(seconds("pass") for _ in range(7))
print(f"import saltus: {took:.3f} s")
if took >= 0.3:
    sys.exit("expected less than 0.3 s")
END
