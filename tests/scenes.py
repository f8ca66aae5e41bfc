"""Pictures with what photographs have, made from a number: shapes of every size, grain, edges.

The spectrum falls as that of photographs does, which is what perceptual hashes rest on; even samples would flatter them
or wrong them. Every seed gives the same picture on every machine, near enough for a hash.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

_FALL = 0.62  # of the amplitude, from one octave to the next


def scene(seed: int, size: tuple[int, int] = (960, 540)) -> Image.Image:
    """A picture of `size` (width, height); different seeds show different things."""
    random = np.random.default_rng(seed)
    picture = _landscape(random, size)
    draw = ImageDraw.Draw(picture)
    width, height = size
    for _ in range(int(random.integers(4, 10))):
        x, y = int(random.integers(0, width)), int(random.integers(0, height))
        half, tall = int(random.integers(width // 20, width // 4)), int(random.integers(height // 20, height // 3))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((x - half, y - tall, x + half, y + tall), fill=colour)
    return picture


def _landscape(random: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Smooth noise of all octaves, mostly grey."""
    width, height = size
    total = np.zeros((height, width, 3))
    amplitude, across = 1.0, 3
    while across <= max(width, height) // 2:
        noise = random.normal(0, amplitude, (max(2, across * height // width + 1), across + 1, 3))
        noise = noise.mean(axis=2, keepdims=True) * 0.8 + noise * 0.4
        for colour in range(3):
            layer = Image.fromarray(noise[:, :, colour].astype("float32"))
            total[:, :, colour] += np.asarray(layer.resize(size, Image.Resampling.BICUBIC))
        amplitude, across = amplitude * _FALL, across * 2
    low, high = np.percentile(total, 1), np.percentile(total, 99)
    return Image.fromarray((np.clip((total - low) / (high - low), 0, 1) * 255).astype("uint8"))
