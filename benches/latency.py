"""How late the output is, measured, against what the stream states.

A voice has no moment that could be placed to the sample. So clicks, one for every phase of the hop,
go through the path with a converter that hands each frame's own envelope on: the centre of the energy
that a click becomes, averaged over the phases, comes out late by the latency of the whole path. The
trained converter is measured on speech: the lag at which the envelope of the output follows that of
the input.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benches import report
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, Samples, recordings
from benches.streaming import PERSONA, StreamSettings, run
from persona_voice._core import RATE
from persona_voice.converter import (
    BANDS,
    LOG_POWER_OF_NOISE,
    SILENT,
    SILENT_MEL,
    Frames,
    band_centres_hz,
)
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import load_persona

LONGEST_LAG_MS = 400
# Envelopes are compared at 1 kHz, smoothed over a pitch period and more.
ENVELOPE_RATE = 1_000
SMOOTH_MS = 20
# Far enough apart for one click to be over when the next begins.
APART_MS = 250
CLICKS = 120


def envelope(samples: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
    """Level in dB at `ENVELOPE_RATE`, floored 50 dB below the loudest."""
    step = sample_rate // ENVELOPE_RATE
    power = np.square(samples[: len(samples) // step * step], dtype=np.float64)
    power = power.reshape(-1, step).mean(axis=1)
    smooth = np.hanning(SMOOTH_MS + 1)
    power = np.convolve(power, smooth / smooth.sum(), mode="same")
    floor = power.max(initial=0.0) * 1e-5 + 1e-12
    return np.asarray(10 * np.log10(np.maximum(power, floor)))


def envelope_lag_ms(before: Samples, after: Samples, sample_rate: int) -> float | None:
    """By how much `after` trails `before`, to a fraction of a millisecond; None for silence."""
    one, other = envelope(before, sample_rate), envelope(after, sample_rate)
    n = min(len(one), len(other))
    if not n or one.std() == 0 or other.std() == 0:
        return None
    lags = range(min(LONGEST_LAG_MS, n // 2))
    scores = [float(np.corrcoef(one[: n - lag], other[lag:n])[0, 1]) for lag in lags]
    best = int(np.argmax(scores))
    return best + vertex(scores, best)


def vertex(scores: list[float], best: int) -> float:
    """Where between the samples the peak of a parabola through three of them lies, -0.5 to 0.5."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    left, middle, right = scores[best - 1 : best + 2]
    curve = left - 2 * middle + right
    return 0.5 * (left - right) / curve if curve else 0.0


class FrameByFrame:
    """Each frame's own envelope, of the moment that the frame stands for and not of one between.

    That is 624 samples before its end, of which the path, told 720, learns nothing: what comes out
    is early by the difference, exactly.

    Bands that the stream's rate does not hold are as the last one that it does, as any trained
    converter fills them: a spectrum that ends at 8 kHz takes the vocoder's minimum-phase filters
    0.1 ms by itself.
    """

    lookahead = 720
    EARLY = 720 - 624

    def __init__(self, sample_rate: int) -> None:
        ends_hz = np.append(band_centres_hz()[1:], RATE / 2)
        self.held = int(np.searchsorted(ends_hz, 0.45 * sample_rate, side="right"))

    def start(self) -> Frames:
        return np.full((1, BANDS), SILENT_MEL, np.float32)

    def step(self, state: Frames, frames: Frames) -> tuple[Frames, Frames]:
        frames = frames.copy()
        frames[:, self.held :] = frames[:, self.held - 1, None]
        heard = np.concatenate([state, frames])
        log_amplitude = (heard[:-1] - np.float32(LOG_POWER_OF_NOISE)) / 2
        return heard[-1:], np.hstack([log_amplitude, np.full_like(log_amplitude, SILENT)])


def clicks(sample_rate: int) -> tuple[Samples, npt.NDArray[np.int64]]:
    """Single samples on silence, and where they are; every phase of a 10 ms hop comes up."""
    hop = sample_rate // 100
    apart = sample_rate * APART_MS // 1000 // hop * hop
    starts = apart + np.arange(CLICKS) * apart + np.arange(CLICKS) * hop // CLICKS
    samples = np.zeros(int(starts[-1]) + 2 * apart, np.float32)
    samples[starts] = 0.5
    return samples, starts


def centres(samples: Samples, starts: npt.NDArray[np.int64], reach: int) -> list[float]:
    """Centre of the energy in the `reach` samples from each start on."""
    found = []
    for start in starts:
        power = np.square(samples[start : start + reach], dtype=np.float64)
        found.append(float(start + np.average(np.arange(len(power)), weights=power + 1e-20)))
    return found


def click_latency(sample_rate: int) -> Result:
    """Stated and measured samples of late, by clicks, through everything but the trained network."""
    stream = VoiceStream(FrameByFrame(sample_rate), load_persona(PERSONA), sample_rate)
    samples, starts = clicks(sample_rate)
    done = run(stream, samples)
    reach = sample_rate * (APART_MS - 10) // 1000
    late = np.array(centres(done.output, starts, reach)) - starts
    late += FrameByFrame.EARLY * sample_rate / RATE
    return {
        "sample_rate": sample_rate,
        "stated_samples": done.latency_samples,
        "stated_ms": 1000 * done.latency_samples / sample_rate,
        "measured_samples": float(late.mean()),
        "standard_error_samples": float(late.std() / np.sqrt(len(late))),
        "measured_ms": 1000 * float(late.mean()) / sample_rate,
    }


def speech_latency(settings: StreamSettings) -> list[Result]:
    """Stated and measured lag of the envelopes of the recordings, through the converter too."""
    stream = settings.open()
    rows = []
    for source in recordings(Engines(Path(), Path())):
        done = run(stream, source.samples)
        rows.append(
            {
                "source": source.name,
                "stated_ms": 1000 * done.latency_samples / STREAM_RATE,
                "measured_ms": envelope_lag_ms(source.samples, done.output, STREAM_RATE),
            }
        )
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--weights", type=Path, help="a weights file, or a folder that holds one")
    parser.add_argument("--mode", choices=("live", "studio"), default="live")
    parser.add_argument("--identity", action="store_true", help="the path without a converter")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    path = [click_latency(rate) for rate in (48_000, 44_100, 24_000, 16_000)]
    for of in path:
        print(
            f"path, {of['sample_rate']} Hz: stated {of['stated_samples']} samples, measured "
            f"{of['measured_samples']:.1f} ± {of['standard_error_samples']:.1f}"
        )
    settings = StreamSettings(options.mode, STREAM_RATE, options.weights, options.identity)
    speech = speech_latency(settings)
    for of in speech:
        measured = f"{of['measured_ms']:.1f}" if of["measured_ms"] is not None else "-"
        print(f"{of['source']:24} stated {of['stated_ms']:.1f} ms, measured {measured} ms")
    result = report.circumstances("latency", settings.as_json())
    report.write(result | {"path": path, "speech": speech}, options.json)
