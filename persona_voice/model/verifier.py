"""Who speaks: any sound to a direction of 160 numbers, nearly the same whatever the same person says.

The network is a small x-vector network: log-mel frames of what is spoken, through convolutions over
time, to means and deviations weighted by an attention, to the embedding (Snyder et al. 2018; Okabe et
al. 2018). It is trained by ``training/verifier.py`` in torch and runs here in numpy; the same sound
gives the same numbers on one machine. Neither the converter nor its training knows it.
"""

import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from persona_voice import _core
from persona_voice.errors import SettingError, WeightsError
from persona_voice.model.weights import Tensors, read_metadata, read_tensors

Samples = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float32]
Embedding = npt.NDArray[np.float32]

FORMAT = "persona-voice verifier 1"
WEIGHTS = Path(str(files("persona_voice") / "assets" / "weights" / "verifier.safetensors"))
# Bands of the log-mel below 6.5 kHz: recordings at 16 kHz have no more.
BANDS = 66
# One decibel, in natural logarithms of power.
DB = float(np.log(10)) / 10
# Speech is what is less than this below the loud frames, and not silence.
RANGE_DB, SILENT_DB = 32.0, -70.0
LOUD_PERCENTILE = 95
# Nothing is heard further below the mean level than this: what a codec or a quiet room leaves there.
FLOOR_DB = 45.0
# Of speech. Shorter ones tell more of the words than of the speaker.
SHORTEST_S = 1.0
FRAMES_PER_S = 100


@dataclass(frozen=True)
class VerifierConfig:
    """The network's shape."""

    channels: int = 160
    joined: int = 320
    attention: int = 64
    width: int = 160
    dilations: tuple[int, ...] = (1, 2, 3)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of every tensor; of a convolution its taps, what goes in, what comes out."""
        c, joined, attention = self.channels, self.joined, self.attention
        shapes: dict[str, tuple[int, ...]] = {"enter": (5, BANDS, c)}
        for n in range(len(self.dilations)):
            shapes |= {f"layers.{n}.mix": (1, c, c), f"layers.{n}.over_time": (3, c, c)}
        shapes |= {
            "join": (1, c * len(self.dilations), joined),
            "ask": (1, joined, attention),
            "attend": (1, attention, joined),
            "leave": (1, 2 * joined, self.width),
        }
        weights = {f"{name}.weight": shape for name, shape in shapes.items()}
        return weights | {f"{name}.bias": shape[2:] for name, shape in shapes.items()}


class Verifier:
    """The network, and where the same speaker begins.

    Attributes
    ----------
    same_speaker
        The band's lower end: of 100 pairs of cuts (3 s of speech each, as they were recorded) by one
        speaker among those that training kept aside, 95 are more similar than this.
    """

    def __init__(self, config: VerifierConfig, tensors: Tensors, same: float) -> None:
        self.config = config
        self.same_speaker = same
        self._tensors = tensors

    def embed(self, samples: Samples, sample_rate: int) -> Embedding:
        """Who speaks in mono ``float32 [samples]`` of any rate from 8 kHz: ``[width]``, of length 1.

        Pauses and the level don't count.

        Raises
        ------
        SettingError
            ``too_little_speech`` below `SHORTEST_S` of it; ``not_finite``; ``wrong_array`` and
            ``out_of_range`` for other arrays and rates.
        """
        if not np.isfinite(samples).all():
            raise SettingError("samples must be finite, got NaN or infinity", code="not_finite")
        frames = spoken(samples, sample_rate)
        if len(frames) < SHORTEST_S * FRAMES_PER_S:
            seconds = len(frames) / FRAMES_PER_S
            raise SettingError(
                f"a sound must hold at least {SHORTEST_S} s of speech, got {seconds:.2f} s",
                code="too_little_speech",
                seconds=seconds,
            )
        return self.answer(normalised(frames))

    def answer(self, frames: Frames) -> Embedding:
        """Of `normalised` frames ``[frames, BANDS]``."""
        x = np.maximum(self._over_time("enter", frames)[::2], 0)
        every = []
        for n, dilation in enumerate(self.config.dilations):
            y = np.maximum(self._over_time(f"layers.{n}.mix", x), 0)
            x = x + np.maximum(self._over_time(f"layers.{n}.over_time", y, dilation), 0)
            every.append(x)
        x = np.maximum(self._over_time("join", np.concatenate(every, axis=1)), 0)
        scores = self._over_time("attend", np.tanh(self._over_time("ask", x)))
        share = np.exp(scores - scores.max(axis=0))
        share /= share.sum(axis=0)
        mean = (share * x).sum(axis=0)
        deviation = np.sqrt(np.maximum((share * x * x).sum(axis=0) - mean * mean, 1e-4))
        y = self._over_time("leave", np.concatenate([mean, deviation])[None])[0]
        return cast(Embedding, (y / np.linalg.norm(y)).astype(np.float32))

    def _over_time(self, name: str, x: Frames, dilation: int = 1) -> Frames:
        """The convolution of that name, nothing before the first frame or behind the last."""
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        reach = len(weight) // 2 * dilation
        padded = np.pad(x, ((reach, reach), (0, 0)))
        y = np.broadcast_to(bias, (len(x), len(bias))).copy()
        for tap, of in enumerate(weight):
            y += padded[tap * dilation : tap * dilation + len(x)] @ of
        return y


def similarity(one: Embedding, other: Embedding) -> float:
    """Of two embeddings: 1 is the same direction, 0 none in common."""
    return float(np.dot(one, other))


def spoken(samples: Samples, sample_rate: int) -> Frames:
    """Log-mel ``[frames, BANDS]``, 100 a second, of the frames in which somebody speaks."""
    resampler = _core.Resampler(sample_rate, _core.RATE)
    heard = np.concatenate([resampler.process(samples), resampler.flush()])
    frames = _core.LogMel().process(heard)[:, :BANDS]
    level = levels(frames)
    sounding = level > SILENT_DB * DB
    if not sounding.any():
        return frames[:0]
    loud = np.percentile(level[sounding], LOUD_PERCENTILE)
    return np.ascontiguousarray(frames[sounding & (level > loud - RANGE_DB * DB)])


def levels(frames: Frames) -> npt.NDArray[np.float32]:
    """Natural logarithm of each frame's mean power."""
    return np.asarray(np.log(np.exp(frames).mean(axis=1)), np.float32)


def normalised(frames: Frames) -> Frames:
    """As the network hears them: above a floor, and each band about its mean.

    So neither level nor the colour of microphone and line count.
    """
    heard = np.maximum(frames, float(levels(frames).mean()) - FLOOR_DB * DB)
    return cast(Frames, heard - heard.mean(axis=0, dtype=np.float64).astype(np.float32))


def save_verifier(verifier: Verifier, file: Path, facts: dict[str, str]) -> None:
    """As fp16, with ``facts`` (data, steps, errors) beside the shape and the band."""
    tensors = {name: of.astype(np.float16) for name, of in verifier._tensors.items()}
    shape = json.dumps(asdict(verifier.config))
    held = {"format": FORMAT, "config": shape, "same_speaker": repr(verifier.same_speaker)}
    save_file(tensors, str(file), metadata=held | facts)


def load_verifier(file: Path = WEIGHTS) -> Verifier:
    """The package's own verifier, or another file's.

    Raises
    ------
    WeightsError
        ``weights_missing``, ``weights_damaged``, ``weights_format``, ``weights_shape`` or
        ``weights_not_finite``.
    """
    config, same = _described(read_metadata(file, FORMAT), file)
    return Verifier(config, read_tensors(file, config.shapes()), same)


def _described(metadata: dict[str, Any], file: Path) -> tuple[VerifierConfig, float]:
    try:
        values = json.loads(metadata["config"])
        config = VerifierConfig(**values | {"dilations": tuple(values["dilations"])})
        config.shapes()
        return config, float(metadata["same_speaker"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{file} must describe its network: {error}", code="weights_shape"
        ) from error
