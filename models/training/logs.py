"""Logs of a training: a CSV file, TensorBoard events, and lines on the terminal."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from vpbench.errors import VpbenchError
from vpbench.files import os_error, write_atomic

COLUMNS = (
    "step",
    "phase",
    "loss_g",
    "loss_d",
    "error",  # mean squared error of the finest output, values in [−1, 1]
    "error_of_copy",  # the same of the last frame
    "active",  # smallest share of active units in a last hidden layer, over the scales
    "rate",
    "steps_per_second",
    "waiting",  # share of the time spent waiting for data
    "seconds",
)
VALIDATION_COLUMNS = (
    "step",
    "psnr_1",
    "ssim_1",
    "psnr_2",
    "ssim_2",
    "full_psnr_1",
    "full_psnr_2",
    "copy_psnr_1",
    "copy_ssim_1",
    "copy_psnr_2",
    "copy_ssim_2",
    "clips",
)


class Log:
    """Writes ``training.csv``, ``validation.csv`` and TensorBoard events into a folder.

    Args:
        folder: of the training.
        step: steps done so far; later lines, of a training that was cut off after its last checkpoint, are cut.
        report: prints a line.
    """

    def __init__(self, folder: Path, step: int, report: Callable[[str], None]) -> None:
        from tensorboardX import SummaryWriter

        self._folder, self.report = folder, report
        for name, columns in (("training.csv", COLUMNS), ("validation.csv", VALIDATION_COLUMNS)):
            _cut(folder / name, columns, step)
        try:
            self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        except OSError as error:
            raise os_error(error, f"write into {folder}") from error

    def training(self, values: Mapping[str, float | str], left: float) -> None:
        """Log a line of :data:`COLUMNS`; ``left`` is the expected time left, in seconds."""
        self._append("training.csv", COLUMNS, values)
        parts = [f"step {values['step']}"]
        for key, text in (("loss_g", "loss G"), ("loss_d", "D"), ("active", "active")):
            if values.get(key, "") != "":
                parts.append(f"{text} {float(values[key]):.4f}")
        if float(values["error_of_copy"]) > 0:
            parts.append(f"error/copy {float(values['error']) / float(values['error_of_copy']):.3f}")
        parts.append(
            f"{float(values['steps_per_second']):.2f} steps/s, waiting {float(values['waiting']):.1%}"
        )
        parts.append(f"left {_clock(left)}")
        self.report("  ".join(parts))
        if values.get("active", "") != "" and float(values["active"]) < 0.01:
            self.report("  Warning: a last hidden layer is all but dead (active units below 1 %).")

    def validation(self, values: Mapping[str, float]) -> None:
        """Log a line of :data:`VALIDATION_COLUMNS`."""
        self._append("validation.csv", VALIDATION_COLUMNS, values)
        self.report(
            f"step {values['step']}  validation, moving areas: PSNR {values['psnr_1']:.2f} / {values['psnr_2']:.2f} dB"
            f" (copy {values['copy_psnr_1']:.2f} / {values['copy_psnr_2']:.2f}), SSIM {values['ssim_1']:.4f} / "
            f"{values['ssim_2']:.4f} (copy {values['copy_ssim_1']:.4f} / {values['copy_ssim_2']:.4f}); full frames: "
            f"{values['full_psnr_1']:.2f} / {values['full_psnr_2']:.2f} dB"
        )

    def _append(self, name: str, columns: tuple[str, ...], values: Mapping[str, float | str]) -> None:
        try:
            with (self._folder / name).open("a", encoding="utf-8", newline="") as stream:
                csv.DictWriter(stream, columns).writerow(
                    {
                        key: f"{value:.6g}" if isinstance(value, float) else value
                        for key, value in values.items()
                    }
                )
            for key, value in values.items():
                # A mean over no frames is NaN; TensorBoard cannot show it.
                if key not in ("step", "phase") and value != "" and math.isfinite(float(value)):
                    self._events.add_scalar(
                        f"{name.removesuffix('.csv')}/{key}", float(value), int(values["step"])
                    )
            self._events.flush()
        except OSError as error:
            raise os_error(error, f"write into {self._folder}") from error

    def close(self) -> None:
        """Flush everything."""
        self._events.close()


def _cut(path: Path, columns: tuple[str, ...], step: int) -> None:
    lines = [",".join(columns)]
    if path.exists() and step:
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            first = line.split(",", 1)[0]
            if line.count(",") == len(columns) - 1 and first.isdigit() and int(first) <= step:
                lines.append(line)
    write_atomic(path, ("\n".join(lines) + "\n").encode())


def last_line(path: Path) -> dict[str, str]:
    """The last line of a CSV log."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise VpbenchError(f"Cannot read {path}: {error.strerror}.") from error
    return rows[-1] if rows else {}


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
