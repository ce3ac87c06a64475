"""What part test clips had in making a model, as predictors and submissions say it."""

from __future__ import annotations

from typing import Any

import pytest

from vpbench.predictors.seen import most_seen, seen_by


@pytest.mark.parametrize(
    ("description", "seen"),
    [
        ({}, "no"),
        ({"contaminated": False}, "no"),
        ({"contaminated": True}, "yes"),
        ({"test_clips_seen": "tuned"}, "tuned"),
        ({"test_clips_seen": "tuned", "contaminated": True}, "yes"),
        ({"test_clips_seen": True}, "yes"),
    ],
)
def test_what_a_description_says(description: dict[str, Any], seen: str) -> None:
    assert seen_by(description) == seen


@pytest.mark.parametrize("answer", ["perhaps", "", None, 1, ["no"]])
def test_another_answer_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="must be no, tuned or yes"):
        seen_by({"test_clips_seen": answer})


def test_the_answer_that_says_most() -> None:
    assert most_seen("no") == "no"
    assert most_seen("no", "tuned", "no") == "tuned"
    assert most_seen("tuned", "yes") == "yes"
