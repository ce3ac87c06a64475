"""Whether test clips had a part in making a model: in its training, in a choice, or none."""

from __future__ import annotations

from typing import Any, Literal, get_args

Seen = Literal["no", "tuned", "yes"]
SEEN: tuple[Seen, ...] = get_args(Seen)
"""``no``; ``tuned``, a choice was made with an eye on test clips; ``yes``, they were trained on."""


def seen_of(answer: bool | Seen) -> Seen:
    """The answer as a word; files of earlier versions have ``true`` and ``false``."""
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return answer


def most_seen(*answers: Seen) -> Seen:
    """The answer that says most."""
    return max(answers, key=SEEN.index)


def seen_by(description: dict[str, Any]) -> Seen:
    """What a predictor says (:meth:`vpbench.Predictor.describe`): ``test_clips_seen``, or the older ``contaminated``.

    Raises:
        ValueError: it is not one of :data:`SEEN`.
    """
    answer = description.get("test_clips_seen", False)
    if not isinstance(answer, bool) and answer not in SEEN:
        raise ValueError(f"'test_clips_seen' must be {', '.join(SEEN[:-1])} or {SEEN[-1]}")
    return most_seen(seen_of(answer), seen_of(bool(description.get("contaminated"))))
