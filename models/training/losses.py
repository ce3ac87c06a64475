"""The training losses of the paper, on tensors in [−1, 1].

Source: Mathieu, Couprie & LeCun (ICLR 2016), sections 2.1 to 2.4. Sums over pixels are means here, so that the
weights mean the same for every scale and patch size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def lp(prediction: Tensor, target: Tensor, p: int) -> Tensor:
    """ℓp: mean of ``|prediction − target|^p`` over all elements.

    Args:
        prediction: any shape.
        target: the same shape.
        p: 1 or 2 in the paper.
    """
    difference = prediction - target
    return difference.abs().mean() if p == 1 else difference.abs().pow(p).mean()


def gdl(prediction: Tensor, target: Tensor, alpha: int) -> Tensor:
    """Image gradient difference loss (section 2.3).

    ``Σ | |Y_{i,j} − Y_{i−1,j}| − |Ŷ_{i,j} − Ŷ_{i−1,j}| |^α`` plus the same along j, each as a mean over its
    pairs of neighbours.

    Args:
        prediction: ``(B, C, H, W)``.
        target: the same shape.
        alpha: α, 1 or 2 in the paper.
    """
    total = prediction.new_zeros(())
    for axis in (-2, -1):
        if prediction.shape[axis] < 2:
            continue
        wanted, found = target.diff(dim=axis).abs(), prediction.diff(dim=axis).abs()
        difference = (wanted - found).abs()
        total = total + (difference.mean() if alpha == 1 else difference.pow(alpha).mean())
    return total


def over_scales(loss: Sequence[Tensor]) -> Tensor:
    """Sum of one loss over the scales."""
    return torch.stack(list(loss)).sum()


def judged(logits: Sequence[Tensor], real: bool) -> Tensor:
    """Binary cross-entropy of D's logits against "real" (1) or "generated" (0), summed over the scales.

    Args:
        logits: ``(B,)`` per scale, before the sigmoid.
        real: the label.
    """
    return over_scales(
        [
            functional.binary_cross_entropy_with_logits(logit, torch.full_like(logit, float(real)))
            for logit in logits
        ]
    )
