"""How sharp a straight slanted edge is in a picture: MTF50 by the method of ISO 12233, in cycles a pixel.

The pixels around the edge are sorted by their distance to it, which is finer than a pixel because the edge is slanted;
their mean brightness over that distance is the edge's profile, its slope the line spread, and the spread's Fourier
transform tells which detail survives. MTF50 is the detail that keeps half of its contrast.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from firmware.capture.rulings import Floats
from firmware.records import Gray

HALF_BAND = 0.25
"""To each side of the edge, in lengths of the edge: room for a blur of a fifth of it."""
ALONG = (0.2, 0.8)
"""Part of the edge that is used: its corners belong to other edges too."""
STRIPS = 8
"""Pieces of the edge whose places are found one by one, so that the edge's angle is known to a thousandth."""
BINS = 4
"""Of the profile, a pixel."""
LEAST_PIXELS = 24.0
"""Length of an edge: a shorter one has too few pixels in every phase."""
LEAST_STEP = 25.0
"""Grey levels between its two sides: a fainter edge drowns in noise."""
HALF_CONTRAST = 0.5


def mtf50(gray: Gray, start: Floats, end: Floats) -> float | None:
    """Of the edge between two pixel places; None when it is too short, too faint or not in the picture."""
    length = float(np.hypot(*(end - start)))
    if length < LEAST_PIXELS:
        return None
    along, grey, distance = _pixels(gray, start, end, length)
    if len(grey) < LEAST_PIXELS * BINS:
        return None
    turned = _straightened(along, grey, distance)
    return None if turned is None else _of_profile(_profile(grey, turned))


def _pixels(gray: Gray, start: Floats, end: Floats, length: float) -> tuple[Floats, Floats, Floats]:
    """Place along the edge, brightness and distance to it, of every pixel in the band."""
    right = (end - start) / length
    up = np.array([-right[1], right[0]])
    half = HALF_BAND * length
    box = np.array([start + up * half, start - up * half, end + up * half, end - up * half])
    low = np.maximum(np.floor(box.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(box.max(axis=0)).astype(int) + 1, (gray.shape[1], gray.shape[0]))
    if (high <= low).any():
        return np.empty(0), np.empty(0), np.empty(0)
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
    from_start = np.stack([columns - start[0], rows - start[1]], axis=-1).reshape(-1, 2)
    along, distance = from_start @ right / length, from_start @ up
    inside = (along > ALONG[0]) & (along < ALONG[1]) & (np.abs(distance) < half)
    grey = gray[low[1] : high[1], low[0] : high[0]].reshape(-1)[inside].astype(np.float64)
    return along[inside], grey, distance[inside]


def _straightened(along: Floats, grey: Floats, distance: Floats) -> Floats | None:
    """The distances to where the edge really runs; None when no edge is seen."""
    dark, light = (float(np.percentile(grey, share)) for share in (5, 95))
    if light - dark < LEAST_STEP:
        return None
    rising = bool(grey[distance > 0].mean() > grey[distance < 0].mean())
    borders = np.linspace(*ALONG, STRIPS + 1)
    places = []
    for begin, stop in pairwise(borders):
        strip = (along >= begin) & (along < stop)
        if not strip.any():
            return None
        # Pixels lie evenly, so the light part of them tells how far the light side reaches.
        light_part = float(np.clip((grey[strip] - dark) / (light - dark), 0.0, 1.0).mean())
        low, high = float(distance[strip].min()), float(distance[strip].max())
        edge = high - light_part * (high - low) if rising else low + light_part * (high - low)
        places.append(((begin + stop) / 2, edge))
    middles, edges = np.array(places, np.float64).T
    slope, start = np.polyfit(middles, edges, 1)
    return np.asarray((distance - (slope * along + start)) * (1.0 if rising else -1.0), np.float64)


def _profile(grey: Floats, distance: Floats) -> Floats:
    """Mean brightness across the edge, BINS to a pixel, the edge in its middle."""
    reach = int(min(-distance.min(), distance.max()) * BINS) - 1
    places = np.floor(distance * BINS).astype(int) + reach
    inside = (places >= 0) & (places < 2 * reach)
    count = np.bincount(places[inside], minlength=2 * reach)
    total = np.bincount(places[inside], grey[inside], minlength=2 * reach)
    filled = np.flatnonzero(count)
    return np.interp(np.arange(2 * reach), filled, total[filled] / count[filled])


def _of_profile(profile: Floats) -> float | None:
    """Where the Fourier transform of the profile's slope falls to one half, in cycles a pixel."""
    spread = np.diff(profile)
    spread = spread * np.hanning(len(spread))
    if len(spread) < 2 * BINS or spread.sum() <= 0:
        return None
    size = 16 * len(spread)
    contrast = np.abs(np.fft.rfft(spread, size)) / spread.sum()
    below = np.flatnonzero(contrast < HALF_CONTRAST)
    if not len(below):
        return None
    last = int(below[0])
    before, after = contrast[last - 1], contrast[last]
    return float((last - 1 + (before - HALF_CONTRAST) / (before - after)) / size * BINS)
