"""Calls the command line in processes that are killed, or asked to end, at a chosen change of a folder.

Changes are counted, so that a point is a place in what a command does, not a moment. The processes are forked from one
that has imported what takes long to import.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

_CHANGES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate")
_SECONDS = 120  # that a call may take


@dataclass(frozen=True)
class Done:
    """How a call ended: exit code (−9: killed), what it printed, and the changes that it made."""

    code: int
    out: str
    err: str
    changes: int


class Forks:
    """The process to fork from.

    Args:
        folder: for the output of the processes and for their temporary files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.temporary = folder / "temporary"
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads, "TMPDIR": str(self.temporary)},
        )

    def call(
        self, folder: Path, *arguments: object, at: int = 0, number: signal.Signals = signal.SIGKILL
    ) -> Done:
        """Call the command line.

        Args:
            folder: what is watched for changes.
            arguments: of ``vpbench``.
            at: the change before which the process gets the signal, from 1 on; 0: none.
            number: the signal.
        """
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir()
        request = {"folder": str(folder), "arguments": [*map(str, arguments)], "at": at, "number": number}
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe is not None
        assert answers is not None
        print(json.dumps(request), file=pipe, flush=True)
        code = int(answers.readline())
        out, err, changes = (
            (self._folder / name).read_text(encoding="utf-8") for name in ("out", "err", "changes")
        )
        return Done(code, out, err, int(changes or 0))

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def seeded(count: int, changes: int, seed: int) -> list[tuple[signal.Signals, int]]:
    """So many different points before a change of 1 … ``changes``, all if there are not so many.

    Two of three are kills, the others requests to end.
    """
    chances, places = random.Random(seed), range(1, changes + 1)
    kills = chances.sample(places, min(count - count // 3, changes))
    requests = chances.sample(places, min(count - len(kills), changes))
    return [(signal.SIGKILL, at) for at in sorted(kills)] + [(signal.SIGTERM, at) for at in sorted(requests)]


def leftovers(*folders: Path) -> list[Path]:
    """Temporary files and folders that are left, at any depth."""
    return [path for folder in folders for path in folder.rglob("*") if path.name.endswith(".tmp")]


class _Watch:
    """Counts changes below a folder, and sends this process a signal before one of them."""

    def __init__(self, folder: str, at: int, number: int) -> None:
        self.folder, self.at, self.number, self.seen = folder, at, number, 0
        self._write, self._fsync = os.write, os.fsync
        os.write, os.fsync = self.write, self.fsync  # type: ignore[assignment]
        sys.addaudithook(self.audit)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _CHANGES or (event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        paths = [os.fsdecode(path) for path in arguments if isinstance(path, (str, bytes, os.PathLike))]
        # shutil.rmtree names what it removes relative to a folder that it holds open.
        if any(path.startswith(self.folder) or path[0] != "/" for path in paths):
            self.change()

    def change(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            os.kill(os.getpid(), self.number)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.seen + 1 == self.at and self.number == signal.SIGKILL:
            self._write(descriptor, data[: len(data) // 2])  # a torn line
        self.change()
        return self._write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self.change()
        self._fsync(descriptor)


def _serve(folder: Path) -> None:
    """Fork a process for each request on standard input, and answer with its exit code."""
    import cv2
    import torch
    from lightning_fabric import Fabric  # noqa: F401
    from tensorboardX import SummaryWriter  # noqa: F401

    from vpbench.cli.main import main
    from vpbench.models.training import trainer  # noqa: F401
    from vpbench.report import page  # noqa: F401

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _call(main, folder, **json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _call(main: Any, output: Path, folder: str, arguments: list[str], at: int, number: int) -> NoReturn:
    """Be the process of one call."""
    signal.alarm(_SECONDS)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # A shell starts what runs in the background with this signal ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    files = [os.open(os.devnull, os.O_RDONLY)]
    files += [os.open(output / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("out", "err")]
    for number_of_stream, file in enumerate(files):
        os.dup2(file, number_of_stream)
    (output / "changes").write_text("")
    watch, code = _Watch(folder, at, number), 1
    try:
        main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    watch.folder = "\0"
    (output / "changes").write_text(str(watch.seen))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
