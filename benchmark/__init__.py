"""vpbench: measure video-prediction models under one ruler.

The names below are the public surface; they are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpbench.clips.prepared import PreparedClips, open_prepared
    from vpbench.errors import UsageError, VpbenchError
    from vpbench.evaluation.api import evaluate, evaluate_samples
    from vpbench.evaluation.engine import evaluate_clips
    from vpbench.predictors.predictor import Predictor
    from vpbench.predictors.spec import PredictorSpec
    from vpbench.runs.run import Run, read_run
    from vpbench.scoring.built_in import get_protocol
    from vpbench.scoring.clip import Clip
    from vpbench.scoring.metrics import Metric, get_metric
    from vpbench.scoring.protocol import Protocol
    from vpbench.scoring.score import score_clip
    from vpbench.splits import Split, get_split

_MODULES = {
    "Clip": "scoring.clip",
    "Metric": "scoring.metrics",
    "Predictor": "predictors.predictor",
    "PredictorSpec": "predictors.spec",
    "PreparedClips": "clips.prepared",
    "Protocol": "scoring.protocol",
    "Run": "runs.run",
    "Split": "splits",
    "UsageError": "errors",
    "VpbenchError": "errors",
    "evaluate": "evaluation.api",
    "evaluate_clips": "evaluation.engine",
    "evaluate_samples": "evaluation.api",
    "get_metric": "scoring.metrics",
    "get_protocol": "scoring.built_in",
    "get_split": "splits",
    "open_prepared": "clips.prepared",
    "read_run": "runs.run",
    "score_clip": "scoring.score",
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
