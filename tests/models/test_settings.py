"""Which precision is taken where."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vpbench.models.training.settings import Settings, has_fast_bf16, make_fabric


@pytest.mark.slow
@pytest.mark.parametrize(
    ("found", "fast"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": True, "amx_bf16": True}, True),
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_bf16_where_the_processor_is_made_for_it(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], fast: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert has_fast_bf16("cpu") is fast
    chosen = make_fabric(Settings(Path(), Path(), device="cpu"))
    assert chosen._precision.precision == ("bf16-mixed" if fast else "32-true")
