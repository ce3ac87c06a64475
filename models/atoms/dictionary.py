"""Damped oscillations with learned poles, and sequences as sparse sums of them.

Liu, Sharma, Camps & Sznaier, "DYAN: A dynamical atoms-based network for video prediction", ECCV 2018. A short sequence
y(0) … y(T−1) is explained by few of many atoms, and their continuation predicts y(T). With a pole of magnitude ρ and
phase θ, the atoms are

    ρᵗ cos(tθ),  (−ρ)ᵗ cos(tθ),  ρᵗ sin(tθ),  (−ρ)ᵗ sin(tθ),

which are those of the poles ρ·exp(±iθ) and −ρ·exp(±iθ); and there is the constant 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from msgspec import Meta

from vpbench.errors import UsageError
from vpbench.reading import read_toml
from vpbench.records import to_record

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHIPPED = Path(__file__).parent / "poles.toml"
# T: four input frames have three flows between them.
LENGTH = 3

_MOST_POLES = 1_000
_Numbers = Annotated[tuple[float, ...], Meta(min_length=1, max_length=_MOST_POLES)]
# So many columns at once that the arrays of a step stay in the processor's cache.
_COLUMNS = 1024


@dataclass(frozen=True)
class Poles:
    """Learned poles, how codes are found, and where they come from.

    Attributes:
        magnitudes: ρ of each pole, above 0; above 1 its oscillations grow.
        phases: θ of each pole, radians for each frame, 0 … π.
        penalty: λ: of two explanations, how much squared error in pixels a smaller sum of coefficients is worth.
        iterations: of the search for a code.
        training_data: what they were learned from, in words.
    """

    magnitudes: _Numbers
    phases: _Numbers
    penalty: Annotated[float, Meta(ge=0, le=1e6)]
    iterations: Annotated[int, Meta(ge=1, le=100_000)]
    training_data: Annotated[str, Meta(max_length=1_000)]

    def __post_init__(self) -> None:
        if len(self.magnitudes) != len(self.phases):
            raise UsageError(
                f"{len(self.magnitudes)} magnitudes and {len(self.phases)} phases; as many are needed."
            )
        if not all(0 < magnitude <= 2 for magnitude in self.magnitudes):
            raise UsageError("a magnitude must be above 0, and at most 2.")
        if not all(0 <= phase <= np.pi for phase in self.phases):
            raise UsageError("a phase must be from 0 to π.")


def read_poles(path: Path) -> Poles:
    """Read poles from a TOML file.

    Raises:
        UsageError: it is missing, is not TOML, or a field is missing, unknown or out of range; names it.
    """
    where = f"Poles {path}"
    return to_record(read_toml(path, where), Poles, where, error=UsageError)


def dictionary(poles: Poles, length: int) -> NDArray[np.float32]:
    """The atoms as columns, over ``length`` frames.

    Returns:
        float32 ``(length, 1 + 4 · poles)``. Each atom has the norm 1 over the first :data:`LENGTH` frames, so that a
        code for these predicts what follows.
    """
    time = np.arange(length, dtype=np.float64)[:, None]
    grows = np.asarray(poles.magnitudes) ** time
    sign = np.where(time % 2 == 0, 1.0, -1.0)
    cosine, sine = (wave(time * np.asarray(poles.phases)) for wave in (np.cos, np.sin))
    atoms = np.concatenate(
        [np.ones_like(time), grows * cosine, sign * grows * cosine, grows * sine, sign * grows * sine], axis=1
    )
    norms = np.linalg.norm(atoms[:LENGTH], axis=0)
    return np.asarray(atoms / np.where(norms > 1e-6, norms, 1.0), np.float32)


def sparse_codes(
    atoms: NDArray[np.float32], sequences: NDArray[np.float32], penalty: float, iterations: int
) -> NDArray[np.float32]:
    """Explain sequences by few atoms: the c that minimises ½‖y − D·c‖² + λ‖c‖₁, by FISTA.

    Source: Beck & Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", SIAM J.
    Imaging Sciences 2 (2009), with the constant step 1/‖D‖².

    Args:
        atoms: D, ``(T, K)``.
        sequences: y, ``(T, N)``.
        penalty: λ.
        iterations: how many.

    Returns:
        c, ``(K, N)``.
    """
    step = np.float32(1 / np.linalg.norm(atoms, 2) ** 2)
    codes = np.empty((atoms.shape[1], sequences.shape[1]), np.float32)
    for first in range(0, sequences.shape[1], _COLUMNS):
        some = slice(first, first + _COLUMNS)
        codes[:, some] = _fista(atoms, sequences[:, some], step, np.float32(penalty) * step, iterations)
    return codes


def _fista(
    atoms: NDArray[np.float32], sequences: NDArray[np.float32], step: Any, threshold: Any, iterations: int
) -> NDArray[np.float32]:
    back = np.ascontiguousarray(atoms.T) * step
    code = np.zeros((atoms.shape[1], sequences.shape[1]), np.float32)
    ahead, shrunk = code.copy(), np.empty_like(code)
    momentum = 1.0
    for _ in range(iterations):
        ahead -= back @ (atoms @ ahead - sequences)
        np.clip(ahead, -threshold, threshold, out=shrunk)
        np.subtract(ahead, shrunk, out=shrunk)  # the soft threshold
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        np.subtract(shrunk, code, out=ahead)
        ahead *= np.float32((momentum - 1) / following)
        ahead += shrunk
        code, shrunk, momentum = shrunk, code, following
    return code


def changes(poles: Poles, sequences: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """By how much sequences will differ from their last value, as the atoms that explain them go on.

    Both ends of the difference are taken from the explanation, D·c: the penalty shrinks it, and of what does not
    change nothing shall be lost.

    Args:
        poles: of the atoms.
        sequences: float32 ``(T, N)``, oldest first; T is :data:`LENGTH`.
        steps: how many values to predict.

    Returns:
        float32 ``(steps, N)``.
    """
    atoms = dictionary(poles, LENGTH + steps)
    codes = sparse_codes(atoms[:LENGTH], sequences, poles.penalty, poles.iterations)
    return np.asarray((atoms[LENGTH:] - atoms[LENGTH - 1]) @ codes, np.float32)
