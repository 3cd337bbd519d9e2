"""The demo's picture: spectrograms before and after, and F0 of both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.signal

from persona_voice import _core

Samples = npt.NDArray[np.float32]

SOURCE_COLOUR, PERSONA_COLOUR = "#8a8f98", "#c2185b"
TOP_HZ = 8_000
# What lies so far below the loudest is drawn as silence.
DEPTH_DB = 75
WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.004
F0_TICKS_HZ = (70, 100, 150, 200, 300, 400)
# Of the tracker, as in the live path.
LATE_HOPS = 3


@dataclass(frozen=True)
class Pair:
    """A sound before and after, as long as each other and in time."""

    name: str
    sample_rate: int
    source: Samples
    persona: Samples


def draw(pairs: list[Pair], path: Path) -> None:
    """Writes a PNG; ImportError without matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 2.1 * len(pairs) + 0.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(pairs), 3, squeeze=False)
    for pair, row in zip(pairs, rows, strict=True):
        _spectrogram(row[0], pair.source, pair.sample_rate)
        _spectrogram(row[1], pair.persona, pair.sample_rate)
        _contours(row[2], pair)
        row[0].set_ylabel(f"{pair.name}\nkHz")
        row[1].set_yticklabels([])
        for axes in row:
            axes.set_xlim(0, len(pair.source) / pair.sample_rate)
            axes.tick_params(labelsize=8)
    for axes, title in zip(rows[0], ("before", "after: the persona", "F0 in Hz"), strict=True):
        axes.set_title(title, fontsize=12)
    for axes in rows[-1]:
        axes.set_xlabel("seconds")
    rows[0][2].legend(loc="upper right", fontsize=8, ncols=2, framealpha=0.9, markerscale=3)
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """A PNG that appears under its name only when it is whole."""
    part = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(part, format="png")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _spectrogram(axes: Any, samples: Samples, sample_rate: int) -> None:
    window, hop = round(WINDOW_SECONDS * sample_rate), max(1, round(HOP_SECONDS * sample_rate))
    _, _, bins = scipy.signal.stft(
        samples, sample_rate, nperseg=window, noverlap=window - hop, nfft=2048, boundary="zeros"
    )
    level_db = 20 * np.log10(np.abs(bins) + 1e-9)
    axes.imshow(
        level_db,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=level_db.max() - DEPTH_DB,
        vmax=level_db.max(),
        extent=(0, len(samples) / sample_rate, 0, sample_rate / 2000),
        interpolation="bilinear",
    )
    axes.set_ylim(0, min(TOP_HZ, sample_rate / 2) / 1000)


def _contours(axes: Any, pair: Pair) -> None:
    for samples, colour, label in (
        (pair.source, SOURCE_COLOUR, "before"),
        (pair.persona, PERSONA_COLOUR, "after"),
    ):
        seconds, f0_hz = contour(samples, pair.sample_rate)
        # Dots: a line would join what the tracker jumped over.
        axes.plot(seconds, f0_hz, ".", color=colour, label=label, markersize=3.5)
    axes.set_yscale("log")
    axes.set_ylim(60, 450)
    axes.set_yticks(F0_TICKS_HZ, [str(tick) for tick in F0_TICKS_HZ])
    axes.minorticks_off()
    axes.grid(axis="y", alpha=0.3)


def contour(samples: Samples, sample_rate: int) -> tuple[Samples, Samples]:
    """Seconds and F0 in Hz of each 10 ms, as the live tracker hears it; NaN where unvoiced."""
    resampler, tracker = _core.Resampler(sample_rate, _core.RATE), _core.F0Tracker(LATE_HOPS)
    late = resampler.latency + tracker.lookahead
    inside = np.concatenate([resampler.process(samples), np.zeros(late, np.float32)])
    frames = tracker.process(inside)
    moments = np.arange(1, len(frames) + 1) * _core.HOP - late
    f0_hz = np.where(frames[:, 2] > 0.5, frames[:, 0], np.nan)
    heard = moments >= 0
    return (moments[heard] / _core.RATE).astype(np.float32), f0_hz[heard].astype(np.float32)
