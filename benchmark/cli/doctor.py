"""``vpbench doctor``: what is installed, and which devices and data are found."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import click

from vpbench.cli.options import data_option
from vpbench.cli.output import say_findings
from vpbench.errors import UsageError, VpbenchError


@click.command()
@data_option("Folder of UCF101's videos, or of another data set.")
def doctor(data: Path | None) -> None:
    """Say what is installed, and which devices and data are found."""
    rows = examine(data)
    say_findings(rows)
    if any(state == "fault" for state, _, _ in rows):
        raise VpbenchError("Repair what is marked as a fault above.")


_OPENCV = (
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-python",
)


def opencv_wheels() -> list[str]:
    """The OpenCV wheels that are installed; more than one overwrite each other's files."""
    names = {(d.metadata["Name"] or "").lower().replace("_", "-") for d in distributions()}
    return [name for name in _OPENCV if name in names]


def examine(data: Path | None) -> list[tuple[str, str, str]]:
    """Look at the installation.

    Args:
        data: folder of videos, if the user named one.

    Returns:
        Rows of (``ok`` | ``fault`` | ``missing``, what, detail); a fault keeps vpbench from working correctly,
        something missing keeps one part of it from working.
    """
    rows = [
        ("ok", "vpbench", f"{version('vpbench')} in {Path(__file__).resolve().parent}"),
        ("ok", "Python", f"{platform.python_version()} on {platform.platform()}"),
    ]
    rows += [_package(name) for name in ("numpy", "scipy", "scikit-image", "pandas")]
    return [*rows, _opencv(), *_torch(), *_data(data)]


def _package(name: str) -> tuple[str, str, str]:
    try:
        return ("ok", name, version(name))
    except PackageNotFoundError:
        return ("fault", name, f"not installed: pip install {name}")


def _opencv() -> tuple[str, str, str]:
    wheels = opencv_wheels()
    if len(wheels) > 1:
        return (
            "fault",
            "OpenCV",
            f"{len(wheels)} wheels overwrite each other's files: {', '.join(wheels)}. "
            f"pip uninstall -y {' '.join(wheels)} && pip install {_OPENCV[0]}",
        )
    try:
        import cv2
    except ImportError as error:
        return ("fault", "OpenCV", f"cannot be imported ({error}): pip install {_OPENCV[0]}")
    if not (hasattr(cv2, "optflow") and hasattr(cv2, "ximgproc")):
        return ("fault", "OpenCV", f"{cv2.__version__} lacks the contrib modules: pip install {_OPENCV[0]}")
    return ("ok", "OpenCV", f"{cv2.__version__} ({', '.join(wheels) or 'not from a wheel'})")


def _torch() -> list[tuple[str, str, str]]:
    try:
        import torch
    except ImportError:
        return [("missing", "torch", "not installed; the trained models need it: pip install torch")]
    devices = [
        "cpu",
        *(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())),
    ]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [("ok", "torch", torch.__version__), ("ok", "devices", ", ".join(devices))]


def _data(data: Path | None) -> list[tuple[str, str, str]]:
    from vpbench.splits import DATA_SETS, find_sources, get_split

    rows = []
    for name in ("demo", "ucf101-every10th"):
        split = get_split(name)
        try:
            sources = find_sources(split, data if split.origin == "ucf101" else None)
        except UsageError as error:
            rows.append(("missing", f"split {name}", str(error)))
        else:
            state = "missing" if sources.missing else "ok"
            rows.append((state, f"split {name}", f"{len(sources.found)} of {len(split.clips)} clips found"))
    for name in DATA_SETS if data is not None else ():
        try:
            split = get_split(name, data)
            found = len(find_sources(split, data).found)
        except UsageError:
            continue  # it is the folder of other data
        state = "missing" if found < split.total else "ok"
        rows.append((state, f"split {name}", f"{found} of {split.total} clips found"))
    return rows
