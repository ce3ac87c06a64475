"""The public surface: every name that `vpbench` offers, and where it is defined.

Read by type checkers, and by ``__init__.py``, which loads a name when it is first used.
"""

from .analysis.comparison import compare as compare
from .analysis.leaderboard import LeaderboardOptions as LeaderboardOptions
from .analysis.leaderboard import build_leaderboard as build_leaderboard
from .analysis.tidy import load as load
from .clips.prepared import PreparedClips as PreparedClips
from .clips.prepared import open_prepared as open_prepared
from .errors import UsageError as UsageError
from .errors import VpbenchError as VpbenchError
from .evaluation.api import evaluate as evaluate
from .evaluation.api import evaluate_samples as evaluate_samples
from .predictors.corrupted import Corrupted as Corrupted
from .predictors.predictor import Predictor as Predictor
from .runs.run import Run as Run
from .runs.run import read_run as read_run
from .scoring.built_in import get_protocol as get_protocol
from .scoring.clip import Clip as Clip
from .scoring.metrics import Metric as Metric
from .scoring.metrics import get_metric as get_metric
from .scoring.protocol import Exclusion as Exclusion
from .scoring.protocol import MaskRule as MaskRule
from .scoring.protocol import MetricUse as MetricUse
from .scoring.protocol import Protocol as Protocol
from .scoring.protocol import ScoredAs as ScoredAs
from .scoring.score import score_clip as score_clip
from .splits import Split as Split
from .splits import get_split as get_split
from .tables.render import render as render
