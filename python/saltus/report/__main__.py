# SPDX-License-Identifier: Apache-2.0
"""``python -m saltus.report DIR``: what ``saltus report DIR`` runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ._write import write


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and print its path.

    Returns
    -------
    int
        As the command: 0 success, 1 a file that cannot be read or written or a package that is
        missing, 2 wrong arguments or input.
    """
    parser = argparse.ArgumentParser(
        prog="saltus report",
        description="Write a page about a training, for any browser, that needs no network.",
    )
    parser.add_argument("folder", help="what `saltus train --out` or saltus.fit(checkpoint=) left")
    parser.add_argument(
        "--data", "--test", help="where the test data are now: a folder, or a spike file"
    )
    parser.add_argument("--out", help="the page (default: report.html in the folder)")
    parser.add_argument("--samples", type=int, help="test samples to run (0: all)")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores (default)")
    parser.add_argument("--command", default="", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    try:
        page = write(
            given.folder,
            given.out,
            data=given.data,
            samples=given.samples,
            threads=given.threads,
            command=given.command,
        )
    except ModuleNotFoundError as error:
        package = (error.name or "?").partition(".")[0]
        return _failed(
            f"the page needs the Python package {package}, which {sys.executable} does not have: "
            f"{sys.executable} -m pip install {package}",
            1,
        )
    except OSError as error:
        return _failed(str(error), 1)
    except ValueError as error:
        return _failed(str(error), 2)
    print(f"report: {page}")
    return 0


def _failed(said: str, code: int) -> int:
    print(f"saltus: {said}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
