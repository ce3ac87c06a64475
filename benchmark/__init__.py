"""vpbench: measure video-prediction models under one ruler.

The names below are the public surface; they are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpbench.api import evaluate, evaluate_samples
    from vpbench.clips import Clip, PreparedClips, open_prepared
    from vpbench.errors import UsageError, VpbenchError
    from vpbench.evaluation import evaluate_clips
    from vpbench.metrics import Metric, get_metric
    from vpbench.predictor import Predictor, PredictorSpec
    from vpbench.protocol import Protocol, get_protocol
    from vpbench.runs import Run, read_run
    from vpbench.scoring import score_clip
    from vpbench.splits import Split, get_split

_MODULES = {
    "Clip": "clips",
    "Metric": "metrics",
    "Predictor": "predictor",
    "PredictorSpec": "predictor",
    "PreparedClips": "clips",
    "Protocol": "protocol",
    "Run": "runs",
    "Split": "splits",
    "UsageError": "errors",
    "VpbenchError": "errors",
    "evaluate": "api",
    "evaluate_clips": "evaluation",
    "evaluate_samples": "api",
    "get_metric": "metrics",
    "get_protocol": "protocol",
    "get_split": "splits",
    "open_prepared": "clips",
    "read_run": "runs",
    "score_clip": "scoring",
}

__all__ = [
    "Clip",
    "Metric",
    "Predictor",
    "PredictorSpec",
    "PreparedClips",
    "Protocol",
    "Run",
    "Split",
    "UsageError",
    "VpbenchError",
    "evaluate",
    "evaluate_clips",
    "evaluate_samples",
    "get_metric",
    "get_protocol",
    "get_split",
    "open_prepared",
    "read_run",
    "score_clip",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'vpbench' has no attribute '{name}'")
    return getattr(import_module(f"vpbench.{_MODULES[name]}"), name)
