"""Scores as a Parquet file."""

from __future__ import annotations

import importlib.util
import io
from typing import TYPE_CHECKING

from vpbench.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd


def parquet(rows: pd.DataFrame) -> bytes:
    """The rows as Parquet, with the data frame's ``attrs``, which ``pandas.read_parquet`` brings back.

    Raises:
        UsageError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError("Parquet needs pyarrow: pip install 'vpbench[parquet]'. Or export --format csv.")
    stream = io.BytesIO()
    rows.to_parquet(stream, engine="pyarrow", index=False)
    return stream.getvalue()
