"""Small rated images for tests: textures with noise and blur, and opinions that follow both."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 40


def texture(number: int) -> np.ndarray:
    """An undistorted image, uint8."""
    x, y = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    head = (x**2 + (1 + 0.1 * number) * y**2 < 0.8) * (0.6 + 0.3 * np.cos((5 + number) * x * y))
    return (200 * head).round().astype(np.uint8)


def write_rated(folder: Path, *, n_references: int = 3, n_distorted: int = 5) -> tuple[Path, Path]:
    """A table of ratings and a folder of images, as RAD-IQMRI has them."""
    images = folder / "images"
    images.mkdir(parents=True)
    rng = np.random.default_rng(5)
    rows = []
    for number in range(n_references):
        clean = texture(number)
        Image.fromarray(clean).save(images / f"ref{number}.png")
        for level in range(n_distorted):
            spread = 4.0 * (level + 1)
            worse = (clean + rng.normal(0, spread, clean.shape)).clip(0, 255).round()
            name = f"ref{number}_noise_{level}.png"
            Image.fromarray(worse.astype(np.uint8)).save(images / name)
            mos = 90 - 15 * level + rng.normal(0, 3)
            artifact = ("noise", "grain")[level % 2]
            rows.append((name, f"ref{number}.png", f"{mos:.3f}", "6.0", "12", artifact))
    ratings = folder / "ratings.csv"
    with open(ratings, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "reference", "mos", "deviation", "n_raters", "artifact"))
        writer.writerows(rows)
    return ratings, images
