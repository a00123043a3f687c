# SPDX-License-Identifier: Apache-2.0
"""From the folder of a run to its page."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from .._arrays import path, whole
from .._loss import LossFunction
from ..data._labelled import LabelledSpikes
from ._evaluation import evaluated
from ._run import read


def write(
    folder: str | os.PathLike[str],
    file: str | os.PathLike[str] | None = None,
    *,
    data: LabelledSpikes | str | os.PathLike[str] | None = None,
    loss: LossFunction | None = None,
    t_end: float | None = None,
    samples: int | None = None,
    threads: int | None = 0,
    command: str = "",
) -> Path:
    """Write a page about a training: settings, curves, mistakes, a sample, timing, environment.

    Parameters
    ----------
    folder : path-like
        What ``saltus train --out`` or ``saltus.fit(checkpoint=...)`` left.
    file : path-like, optional
        The page; ``report.html`` in the folder unless given.
    data : LabelledSpikes or path-like, optional
        Test data: as spikes, or where the files are now that the run names: a folder, or the spike
        file itself. Yin-Yang needs none. Without data the page has no sections about samples, and
        says why.
    loss : Loss or callable, optional
        That of the training unless given; a loss of your own must be.
    t_end : float, optional
        When samples end, in seconds; as in the training unless given.
    samples : int, optional
        So many of the test samples are run, evenly spread; 0: all. Unless given as many as take
        about 1.5 s, by the forward time of the last epoch.
    threads : int, optional
        0: all cores.
    command : str
        The program that asks for the page, with its version; a row of the environment.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    OSError
        A folder that is missing or holds no network, a damaged file, data that are not where
        `data` says, a page that cannot be written.
    ValueError
        Files without a meaning, data that do not fit the network.
    TypeError
        An argument of a wrong type, named in the message.

    Examples
    --------
    >>> import saltus
    >>> saltus.report.write("runs/yinyang")  # doctest: +SKIP
    PosixPath('runs/yinyang/report.html')
    """
    wanted = None if samples is None else whole(samples, "samples")
    from ._sections import page_of  # noqa: PLC0415 (only drawing needs matplotlib)

    run = read(path(folder, "folder"), data=data, loss=loss, t_end=t_end, command=command)
    target = run.folder / "report.html" if file is None else Path(path(file, "file"))
    _put(target, page_of(run, evaluated(run, wanted, threads)))
    return target


def _put(target: Path, text: str) -> None:
    """Replace the page as a whole: a reader never meets half of one."""
    if target.exists() and not target.is_file():
        raise OSError(f"{target} is no regular file; expected a name for the page")
    try:
        with NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, prefix=".report", delete=False
        ) as new:
            try:
                new.write(text)
                new.flush()
            except OSError:
                Path(new.name).unlink()
                raise
    except OSError as error:  # of a name that nobody gave
        raise OSError(
            f"cannot write {target}: {error.strerror}; another place is --out FILE (file=)"
        ) from None
    mask = os.umask(0)
    os.umask(mask)
    Path(new.name).chmod(0o666 & ~mask)
    Path(new.name).replace(target)
