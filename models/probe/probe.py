"""A linear classifier on features of windows: trained on some groups of UCF101's videos, tested on others."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import UsageError
from vpbench.models.footage.videos import TEST_GROUPS, decode_segments
from vpbench.models.probe.features import Features
from vpbench.video.decoding import VIDEO_SUFFIXES, natural_key

_NAME = re.compile(r"^v_(.+)_g(\d\d)_c\d\d$")
# Windows of a video, spread evenly over it, whose features are averaged.
WINDOWS = 2
# Strengths of the penalty that are tried, by cross-validation over groups of the training videos.
_PENALTIES = tuple(10.0**power for power in range(-1, 7))
_FOLDS = 5
LEVEL = 0.95
_RESAMPLES = 9999


@dataclass(frozen=True)
class Video:
    """A video of UCF101 and what its name says.

    Attributes:
        path: the file.
        action: its class.
        group: videos of one class and group show the same people at the same place.
    """

    path: Path
    action: str
    group: int

    @property
    def cluster(self) -> str:
        """Class and group: what is drawn, or held out, together."""
        return f"{self.action} {self.group}"


@dataclass(frozen=True)
class Accuracy:
    """How many test videos a classifier tells rightly.

    Attributes:
        features: numbers a window.
        share: of the test videos, in [0, 1].
        low: lower end of its 95 % interval over groups; NaN with fewer than two.
        high: upper end.
        penalty: of the ridge classifier, chosen on the training videos.
        right: for each test video whether it was told rightly.
    """

    features: int
    share: float
    low: float
    high: float
    penalty: float
    right: NDArray[np.bool_]


@dataclass(frozen=True)
class Probed:
    """The result of a probe.

    Attributes:
        accuracies: by what the features are of.
        training: videos trained on.
        test: videos tested on.
        classes: among those trained on.
        clusters: of each test video, its class and group.
    """

    accuracies: Mapping[str, Accuracy]
    training: int
    test: int
    classes: int
    clusters: NDArray[np.str_]

    @property
    def groups(self) -> int:
        """Pairs of class and group among the test videos."""
        return len(set(self.clusters))


def find_videos(folder: Path) -> tuple[list[Video], list[Video]]:
    """The videos of UCF101 under a folder: groups 8–25 to train on, 1–7 to test on.

    Test videos of classes that no training video has are left out.

    Raises:
        UsageError: no folder; or fewer than two classes to train on, or nothing to test on.
    """
    found = []
    for path in sorted(folder.rglob("*"), key=lambda path: natural_key(path.name)):
        name = _NAME.match(path.stem)
        if name and path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
            found.append(Video(path, name[1], int(name[2])))
    training = [video for video in found if video.group not in TEST_GROUPS]
    classes = {video.action for video in training}
    test = [video for video in found if video.group in TEST_GROUPS and video.action in classes]
    if len(classes) < 2 or not test:
        raise UsageError(
            f"--data {folder}: a probe needs classes: videos of UCF101 (v_CLASS_gNN_cNN.avi) of groups 8–25 of at "
            f"least two classes, and of groups 1–7 of the same classes. Found: {len(classes)} classes, {len(test)} "
            "test videos."
        )
    return training, test


def probe(
    training: Sequence[Video],
    test: Sequence[Video],
    features: Mapping[str, Features],
    inputs: int,
    step: Callable[[], None] = lambda: None,
) -> Probed:
    """Train and test a linear classifier on each kind of features.

    Args:
        training: videos to train on; the penalty is chosen among these, by groups.
        test: videos to test on.
        features: by name.
        inputs: frames of a window.
        step: called after each video.

    Raises:
        UsageError: scikit-learn is not installed; or too few videos can be read.
    """
    rows, videos = [], []
    for video in (*training, *test):
        windows = decode_segments(video.path, WINDOWS, inputs)
        if len(windows):
            rows.append({name: _mean(of, windows) for name, of in features.items()})
            videos.append(video)
        step()
    tested = np.array([video.group in TEST_GROUPS for video in videos])
    actions, clusters = (
        np.array([getattr(video, what) for video in videos]) for what in ("action", "cluster")
    )
    if tested.all() or not tested.any():
        raise UsageError(f"None of the videos to {'train' if tested.all() else 'test'} on can be read.")
    accuracies = {
        name: _accuracy(np.stack([row[name] for row in rows]).astype(np.float64), actions, clusters, tested)
        for name in features
    }
    return Probed(
        accuracies,
        int((~tested).sum()),
        int(tested.sum()),
        len(set(actions[~tested])),
        clusters[tested],
    )


def _mean(of: Features, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(np.mean([of(window) for window in windows], axis=0), np.float32)


def _accuracy(
    rows: NDArray[np.float64],
    actions: NDArray[np.str_],
    clusters: NDArray[np.str_],
    tested: NDArray[np.bool_],
) -> Accuracy:
    """The accuracy of a ridge classifier of standardised features, with a bootstrap interval over groups."""
    try:
        from sklearn.linear_model import RidgeClassifier
        from sklearn.model_selection import GridSearchCV, GroupKFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise UsageError("A probe needs scikit-learn: pip install 'vpbench[learn]'.") from None
    known = ~tested
    folds = GroupKFold(min(_FOLDS, len(set(clusters[known]))))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), RidgeClassifier()), {"ridgeclassifier__alpha": _PENALTIES}, cv=folds
    )
    search.fit(rows[known], actions[known], groups=clusters[known])
    right = np.asarray(search.predict(rows[tested]) == actions[tested])
    low, high = interval(right, clusters[tested])
    return Accuracy(
        rows.shape[1],
        float(right.mean()),
        low,
        high,
        float(search.best_params_["ridgeclassifier__alpha"]),
        right,
    )


def interval(values: NDArray[np.generic], clusters: NDArray[np.str_]) -> tuple[float, float]:
    """A 95 % percentile interval of the mean, from a bootstrap that draws clusters; NaN for fewer than two."""
    from scipy.stats import bootstrap

    _, cluster = np.unique(clusters, return_inverse=True)
    if cluster.max() < 1:
        return float("nan"), float("nan")
    sums = np.bincount(cluster, np.asarray(values, np.float64))
    counts = np.bincount(cluster)
    found = bootstrap(
        (sums, counts),
        lambda total, count, axis: total.sum(axis) / count.sum(axis),
        n_resamples=_RESAMPLES,
        confidence_level=LEVEL,
        paired=True,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)
