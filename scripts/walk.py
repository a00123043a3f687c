#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The walk of one weight and one spike in docs/architecture.md: do its files and names exist?

`name` (`file`) must be found in that file; any other name somewhere in src/ or include/.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = re.compile(r"^[\w/-]+\.[ch]pp$")
PAIR = re.compile(r"`([\w:]+)` \(`([\w/.-]+\.[ch]pp)`")
NAME = re.compile(r"^[A-Za-z_][\w:]*$")


def main() -> int:
    """Check every step of the walk."""
    sources = {
        str(file.relative_to(ROOT / base)): file.read_text()
        for base in ("src", "include")
        for file in (ROOT / base).rglob("*.[ch]pp")
    }
    everything = "\n".join(sources.values())
    text = (ROOT / "docs/architecture.md").read_text()
    walk = re.search(r"^## A walk.*?(?=^## )", text, re.DOTALL | re.MULTILINE)
    if not walk:
        print("docs/architecture.md has no section '## A walk'")
        return 1
    wrong, names, files = [], 0, 0
    paragraph = " ".join(walk.group().split())
    for name, file in PAIR.findall(paragraph):
        matching = [s for s in sources if s == file or s.endswith("/" + file)]
        if not any(name.rsplit("::", 1)[-1] in sources[s] for s in matching):
            wrong.append(f"`{name}` is not in `{file}`")
    for token in re.findall(r"`([^`]+)`", paragraph):
        if FILE.match(token):
            files += 1
            if not any(s == token or s.endswith("/" + token) for s in sources):
                wrong.append(f"there is no `{token}`")
        elif NAME.match(token):
            names += 1
            last = token.rsplit("::", 1)[-1]
            if not re.search(rf"\b{last}\b", everything) and last not in ("hidden", "out"):
                wrong.append(f"`{token}` is nowhere in src/ or include/")
    if names < 20 or files < 12:
        wrong.append(f"the walk names {names} things and {files} files; expected more")
    for line in wrong:
        print(f"docs/architecture.md, the walk: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
