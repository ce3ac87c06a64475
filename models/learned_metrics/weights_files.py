"""Weights that the user has: found by an environment variable, checked by hash, read without running code."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from vpbench.errors import UsageError, VpbenchError

if TYPE_CHECKING:
    from torch import Tensor


def from_environment(variable: str, metric: str, wanted: str) -> Path:
    """The file that an environment variable names.

    Args:
        variable: its name.
        metric: what needs the weights, for the error.
        wanted: what the file has to hold, for the error.

    Raises:
        UsageError: the variable is not set, or names no file.
    """
    value = os.environ.get(variable)
    if not value:
        raise UsageError(
            f"Metric '{metric}' needs {wanted}, which vpbench neither brings nor downloads. Set {variable} to the "
            "path of your file (.pth or .safetensors)."
        )
    path = Path(value)
    if not path.is_file():
        raise UsageError(f"{variable}={value}: there is no such file.")
    return path


def check_hash(path: Path, sha256: str | None, metric: str) -> None:
    """Check that a file has the hash that the protocol states, or its first 8 digits: scores depend on the weights.

    Raises:
        UsageError: the protocol states none, or another; the message gives the file's own.
    """
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if sha256 is None:
        raise UsageError(
            f"Metric '{metric}': the protocol must say which weights it means. For those in {path} give the metric "
            f'parameters = {{ sha256 = "{found}" }}.'
        )
    if not re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", sha256):
        raise UsageError(
            f"Metric '{metric}': sha256 must be 64 digits 0-9 and a-f, or the first 8 of them, not {sha256!r}."
        )
    if not found.startswith(sha256):
        raise UsageError(
            f"Metric '{metric}': the weights in {path} have the SHA-256 {found}; the protocol wants {sha256}."
        )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read named tensors from a ``.safetensors`` file or from what ``torch.save`` wrote; no code in it is run.

    Raises:
        VpbenchError: the file is damaged, or holds other things than named tensors.
    """
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file provokes
        reason = str(error).strip().split("\n")[0]
        raise VpbenchError(f"{path} cannot be read as weights: {reason}") from error
    if not isinstance(tensors, dict) or not all(isinstance(t, torch.Tensor) for t in tensors.values()):
        raise VpbenchError(f"{path} does not hold named tensors (a state_dict).")
    return dict(tensors)
