"""Logs of a training: a CSV file, TensorBoard events, and lines on the terminal."""

from __future__ import annotations

import csv
import io
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
    "right_real",  # share of real frames that D takes for real, over the scales
    "right_generated",  # share of generated frames that it does not
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
    *(f"{column}_{frame}" for frame in (1, 2) for column in ("psnr", "ssim", "sharpness", "full_psnr")),
    *(f"copy_{column}_{frame}" for frame in (1, 2) for column in ("psnr", "ssim", "sharpness")),
    # Mean paired differences in PSNR to the baselines, and their standard errors.
    *(
        f"{baseline}_{column}{frame}"
        for baseline in ("to_flow", "to_refined")
        for frame in (1, 2, "all")
        for column in ("", "se_")
    ),
    "clips",
)


_SHOWN = (
    ("loss_g", "loss G"),
    ("loss_d", "D"),
    ("right_real", "right of real"),
    ("right_generated", "of generated"),
    ("active", "active"),
)


class Log:
    """Writes ``training.csv``, ``validation.csv`` and TensorBoard events into a folder.

    Args:
        folder: of the training.
        step: steps done so far; later lines, of a training that ended after its last checkpoint, are removed.
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
        for key, text in _SHOWN:
            if values.get(key, "") != "":
                parts.append(f"{text} {float(values[key]):.4f}")
        if float(values.get("error_of_copy", 0)) > 0:
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
        parts = [
            f"step {values['step']}  validation, {values['clips']} clips, moving areas: "
            f"PSNR {values['psnr_1']:.2f} / {values['psnr_2']:.2f} dB"
            f" (copy {values['copy_psnr_1']:.2f} / {values['copy_psnr_2']:.2f}), SSIM {values['ssim_1']:.4f} / "
            f"{values['ssim_2']:.4f} (copy {values['copy_ssim_1']:.4f} / {values['copy_ssim_2']:.4f})"
        ]
        for column, name in (("to_flow", "optical_flow"), ("to_refined", "optical_flow_refined")):
            if f"{column}_1" in values:
                first, second = (
                    f"{values[f'{column}_{frame}']:+.2f} ± {values[f'{column}_se_{frame}']:.2f}"
                    for frame in (1, 2)
                )
                parts.append(f"to {name} {first} / {second} dB")
        parts.append(f"full frames: {values['full_psnr_1']:.2f} / {values['full_psnr_2']:.2f} dB")
        self.report("; ".join(parts))

    def _append(self, name: str, columns: tuple[str, ...], values: Mapping[str, float | str]) -> None:
        try:
            with (self._folder / name).open("a", encoding="utf-8", newline="") as stream:
                csv.DictWriter(stream, columns, lineterminator="\n").writerow(
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
    """Begin a CSV file, or remove what a training wrote after the step that it resumes from."""
    kept: list[list[str]] = []
    if path.exists() and step:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))[1:]
        kept = [row for row in rows if len(row) == len(columns) and row[0].isdigit() and int(row[0]) <= step]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([columns, *kept])
    write_atomic(path, text.getvalue().encode())


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
