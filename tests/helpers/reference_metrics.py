"""Slow, literal references of the metrics, and of what is done to frames first: the formulas again, with loops.

Nothing here is shared with vpbench.scoring, on purpose. Frames are float64 (H, W, 3) in [0, data_range].
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]


def grey(frame: Image) -> Image:
    return 0.299 * frame[:, :, 0] + 0.587 * frame[:, :, 1] + 0.114 * frame[:, :, 2]


def _mean_square(target: Image, prediction: Image, mask: Mask | None) -> float:
    """Of (H, W, C)."""
    squares = []
    for row, (true_row, predicted_row) in enumerate(zip(target.tolist(), prediction.tolist(), strict=True)):
        for column, pixels in enumerate(zip(true_row, predicted_row, strict=True)):
            if mask is None or mask[row, column]:
                squares += [(a - b) ** 2 for a, b in zip(*pixels, strict=True)]
    return math.fsum(squares) / len(squares) if squares else math.nan


def psnr(
    target: Image, prediction: Image, data_range: float, mask: Mask | None = None, cap: float | None = None
) -> float:
    mse = _mean_square(target, prediction, mask)
    if math.isnan(mse):
        return mse
    score = 20 * math.log10(data_range) - 10 * math.log10(mse) if mse > 0 else math.inf
    return score if cap is None or score < cap else cap


def psnr_luma(
    target: Image, prediction: Image, data_range: float, mask: Mask | None = None, cap: float | None = None
) -> float:
    return psnr(grey(target)[:, :, None], grey(prediction)[:, :, None], data_range, mask, cap)


def psnr_mathieu2016(target: Image, prediction: Image, data_range: float, mask: Mask | None = None) -> float:
    y, y_hat = (2 * frame / data_range - 1 for frame in (target, prediction))
    mse = _mean_square(y, y_hat, mask)
    if math.isnan(mse):
        return mse
    return 10 * math.log10(255 * 255 / max(128 * 128 * mse, 1e-4))


def _gradients(image: list[list[list[float]]], row: int, column: int, channel: int) -> tuple[float, float]:
    """|∇x|, |∇y| as backward differences."""
    here = image[row][column][channel]
    return abs(here - image[row][column - 1][channel]), abs(here - image[row - 1][column][channel])


def _sharpness_mathieu2016(y: Image, y_hat: Image, mask: Mask | None) -> float:
    """Of (H, W, C) in [−1, 1]."""
    height, width, channels = y.shape
    true, predicted = y.tolist(), y_hat.tolist()
    errors = []
    pixels = 0
    for row in range(2, height - 1 + 1):  # counted from 1
        for column in range(2, width - 1 + 1):
            if mask is not None and not mask[row - 1, column - 1]:
                continue
            pixels += 1
            for channel in range(channels):
                true_x, true_y = _gradients(true, row - 1, column - 1, channel)
                predicted_x, predicted_y = _gradients(predicted, row - 1, column - 1, channel)
                errors.append(abs(predicted_x - true_x) + abs(predicted_y - true_y))
    if mask is None:
        pixels = height * width
    if pixels == 0:
        return math.nan
    return 10 * math.log10(255 * 255 / max(128 * 128 * math.fsum(errors) / (channels * pixels), 1e-4))


def sharpness_mathieu2016(
    target: Image, prediction: Image, data_range: float, mask: Mask | None = None
) -> float:
    y, y_hat = (2 * frame / data_range - 1 for frame in (target, prediction))
    return _sharpness_mathieu2016(y, y_hat, mask)


def sharpness_luma(target: Image, prediction: Image, data_range: float, mask: Mask | None = None) -> float:
    y, y_hat = (2 * grey(frame)[:, :, None] / data_range - 1 for frame in (target, prediction))
    return _sharpness_mathieu2016(y, y_hat, mask)


def sharpness_printed(target: Image, prediction: Image, data_range: float, mask: Mask | None = None) -> float:
    true, predicted = ((255 * frame / data_range).tolist() for frame in (target, prediction))
    errors = []
    for row in range(1, target.shape[0]):
        for column in range(1, target.shape[1]):
            if mask is None or mask[row, column]:
                for channel in range(3):
                    true_sum = sum(_gradients(true, row, column, channel))
                    errors.append(abs(true_sum - sum(_gradients(predicted, row, column, channel))))
    if not errors:
        return math.nan
    return 10 * math.log10(255 * 255 / max(math.fsum(errors) / len(errors), 1e-4))


def gaussian_window() -> Image:
    window = np.empty((11, 11))
    for row in range(11):
        for column in range(11):
            window[row, column] = math.exp(-((row - 5) ** 2 + (column - 5) ** 2) / (2 * 1.5**2))
    return window / window.sum()


def convolved(image: Image, window: Image) -> Image:
    """The convolution where the window lies inside the image: (H, W) to (H − h + 1, W − w + 1)."""
    height, width = (side - length + 1 for side, length in zip(image.shape, window.shape, strict=True))
    result = np.zeros((height, width))
    for row, weights in enumerate(window[::-1, ::-1].tolist()):
        for column, weight in enumerate(weights):
            result += weight * image[row : row + height, column : column + width]
    return result


def ssim_map(target: Image, prediction: Image, data_range: float, border: str) -> Image:
    x, y = (255 * grey(frame) / data_range for frame in (target, prediction))
    if border == "replicate":
        x, y = np.pad(x, 5, mode="edge"), np.pad(y, 5, mode="edge")
    if border == "symmetric":
        x, y = np.pad(x, 5, mode="symmetric"), np.pad(y, 5, mode="symmetric")
    if border == "zero-full":
        x, y = np.pad(x, 10), np.pad(y, 10)
    window = gaussian_window()

    def windowed(image: Image) -> Image:
        return convolved(image, window)

    mean_x, mean_y = windowed(x), windowed(y)
    variance_x = windowed(x * x) - mean_x**2
    variance_y = windowed(y * y) - mean_y**2
    covariance = windowed(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    result: Image = ((2 * mean_x * mean_y + c1) * (2 * covariance + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    )
    return result


def ssim(
    target: Image, prediction: Image, data_range: float, mask: Mask | None = None, *, border: str
) -> float:
    similarity = ssim_map(target, prediction, data_range, border)
    if mask is None:
        return float(similarity.mean())
    if border == "zero-full":
        similarity = similarity[5:-5, 5:-5]
    elif border == "valid":
        mask = mask[5:-5, 5:-5]
    return float(similarity[mask].mean()) if mask.any() else math.nan


def ms_ssim(target: Image, prediction: Image, data_range: float) -> float:
    """msssim.m of Wang's group: ssim_index_new at five levels, imfilter(ones(2)/4, 'symmetric'), 1:2:end."""
    x, y = (
        255 / data_range * (0.299 * f[..., 0] + 0.587 * f[..., 1] + 0.114 * f[..., 2])
        for f in (target, prediction)
    )
    away = np.arange(11) - 5
    window = np.exp(-(away[:, None] ** 2 + away[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssims, contrasts = [], []
    for _ in range(5):
        mu_x, mu_y = convolved(x, window), convolved(y, window)
        xx = convolved(x * x, window) - mu_x * mu_x
        yy = convolved(y * y, window) - mu_y * mu_y
        xy = convolved(x * y, window) - mu_x * mu_y
        cs = (2 * xy + c2) / (xx + yy + c2)
        ssims.append(np.mean((2 * mu_x * mu_y + c1) / (mu_x**2 + mu_y**2 + c1) * cs))
        contrasts.append(np.mean(cs))
        # Matlab's centre of a 2×2 kernel is its first pixel: each pixel with those right of and below it.
        x, y = (
            correlate(image, np.full((2, 2), 0.25), mode="reflect", origin=-1)[::2, ::2] for image in (x, y)
        )
    weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    return float(np.prod(np.maximum([*contrasts[:4], ssims[4]], 0) ** np.array(weights)))


def squared_error(target: Image, prediction: Image, data_range: float, mask: Mask | None = None) -> float:
    return _mean_square(target / data_range, prediction / data_range, mask)


def absolute_error(target: Image, prediction: Image, data_range: float, mask: Mask | None = None) -> float:
    errors = np.abs(target - prediction) / data_range
    rows = errors.tolist() if mask is None else [errors[mask].tolist()]
    found = [value for row in rows for pixel in row for value in pixel]
    return math.fsum(found) / len(found) if found else math.nan


def of_channels(
    metric: Callable[..., float],
    target: Image,
    prediction: Image,
    data_range: float,
    mask: Mask | None = None,
    **parameters: Any,
) -> float:
    """The mean of a metric of luma over the channels, each as a grey frame."""
    more = {} if mask is None else {"mask": mask}
    scores = [
        metric(
            *(np.stack([frame[..., c]] * 3, axis=2) for frame in (target, prediction)),
            data_range,
            **more,
            **parameters,
        )
        for c in range(3)
    ]
    return sum(scores) / 3


def uniform_ssim(target: Image, prediction: Image, taken_range: float) -> float:
    """scikit-image's default: uniform 7×7 window, sample covariance, mean without a border of 3, over channels."""
    c1, c2 = (0.01 * taken_range) ** 2, (0.03 * taken_range) ** 2
    scores = []
    for channel in range(3):
        for row in range(target.shape[0] - 6):
            for column in range(target.shape[1] - 6):
                x, y = (f[row : row + 7, column : column + 7, channel].ravel() for f in (target, prediction))
                (xx, xy), (_, yy) = np.cov(x, y)
                means = x.mean(), y.mean()
                scores.append(
                    (2 * means[0] * means[1] + c1)
                    * (2 * xy + c2)
                    / ((means[0] ** 2 + means[1] ** 2 + c1) * (xx + yy + c2))
                )
    return math.fsum(scores) / len(scores)


def as_bytes(frame: Image, rounding: str) -> Image:
    """A prediction in [0, 1] at the 256 levels of a byte."""
    levels = [min(max(float(np.float32(value) * np.float32(255)), 0.0), 255.0) for value in frame.ravel()]
    whole = [math.floor(level) if rounding == "down" else math.floor(level + 0.5) for level in levels]
    return np.array(whole).reshape(frame.shape) / 255


def _places(length: int, to: int) -> list[float]:
    """Where the centres of ``to`` pixels lie on ``length`` pixels."""
    return [(place + 0.5) * length / to - 0.5 for place in range(to)]


def bilinear(frame: Image, size: tuple[int, int]) -> Image:
    """(H, W, C) at another size, the border continued."""
    height, width = frame.shape[:2]
    result = np.empty((*size, frame.shape[2]))
    for row, y in enumerate(_places(height, size[0])):
        for column, x in enumerate(_places(width, size[1])):
            top, left = math.floor(y), math.floor(x)
            total = np.zeros(frame.shape[2])
            for i, down in ((top, 1 - (y - top)), (top + 1, y - top)):
                for j, across in ((left, 1 - (x - left)), (left + 1, x - left)):
                    pixel = frame[min(max(i, 0), height - 1), min(max(j, 0), width - 1)]
                    total = total + down * across * pixel
            result[row, column] = total
    return result


def nearest(mask: Mask, size: tuple[int, int]) -> Mask:
    """A mask at another size."""
    height, width = mask.shape
    return np.array(
        [
            [mask[math.floor((r + 0.5) * height / size[0]), math.floor((c + 0.5) * width / size[1])]]
            for r in range(size[0])
            for c in range(size[1])
        ]
    ).reshape(size)


def in_grey(frame: Image) -> Image:
    """The luma as all three channels."""
    return np.stack([grey(frame)] * 3, axis=2)
