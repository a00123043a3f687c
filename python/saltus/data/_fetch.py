# SPDX-License-Identifier: Apache-2.0
"""Downloads, checked: what arrives is what was published, or an error."""

from __future__ import annotations

import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

_TIMEOUT = 30  # s without an answer


@dataclass(frozen=True)
class Source:
    """Where a data set lies.

    Attributes
    ----------
    urls : tuple of str
        Folders that hold the files; tried in this order.
    files : dict of str to str
        The name of each file, and the SHA-256 of what it holds unpacked.
    """

    urls: tuple[str, ...]
    files: dict[str, str]


# As sha256sum writes it.
_MNIST = """
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte.gz
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte.gz
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte.gz
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte.gz
"""
_FASHION_MNIST = """
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888  train-images-idx3-ubyte.gz
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9  train-labels-idx1-ubyte.gz
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b  t10k-images-idx3-ubyte.gz
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34  t10k-labels-idx1-ubyte.gz
"""


def _files(table: str) -> dict[str, str]:
    return {file: digest for digest, file in map(str.split, table.split("\n")[1:-1])}


SOURCES = {
    "mnist": Source(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        _files(_MNIST),
    ),
    "fashion_mnist": Source(
        (
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        _files(_FASHION_MNIST),
    ),
}
"""What `fetch` knows."""


def fetch(name: str, folder: str | PathLike[str], *, source: Source | None = None) -> Path:
    """Download a data set unless it is there already, and check it.

    Parameters
    ----------
    name : {"mnist", "fashion_mnist"}
        A key of `SOURCES`.
    folder : path-like
        Made if it does not exist. Files that are there and hold the right bytes are left alone.
    source : Source, optional
        Another place for the same files.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ValueError
        No such data set.
    OSError
        No network (the message lists what was tried and where to put the files by hand), or a file
        that is not the published one.
    """
    if source is None and name not in SOURCES:
        raise ValueError(f"name is {name!r}; expected one of {', '.join(SOURCES)}")
    where = SOURCES[name] if source is None else source
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for file, digest in where.files.items():
        path = target / file
        if path.is_file() and _digest(path.read_bytes()) == digest:
            continue
        content = _download(where, file, target)
        found = _digest(content)
        if found != digest:
            raise OSError(
                f"{file}: what was downloaded has SHA-256 {found} unpacked; expected {digest}"
            )
        aside = path.with_name(path.name + ".part")
        aside.write_bytes(content)
        os.replace(aside, path)
    return target


def _download(source: Source, file: str, target: Path) -> bytes:
    # Slow to import, and hardly anybody downloads.
    from urllib.request import urlopen  # noqa: PLC0415

    problems = []
    for url in source.urls:
        try:
            with urlopen(url + file, timeout=_TIMEOUT) as answer:
                return bytes(answer.read())
        except OSError as error:
            problems.append(f"{url}{file}: {error}")
    tried = "; ".join(problems)
    raise OSError(
        f"cannot download {file} (is there a network?). Tried {tried}. "
        f"Or put the file into {target} yourself"
    )


def _digest(content: bytes) -> str:
    import gzip  # noqa: PLC0415
    import hashlib  # noqa: PLC0415
    import zlib  # noqa: PLC0415

    try:
        unpacked = gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        unpacked = content
    return hashlib.sha256(unpacked).hexdigest()
