"""The judges: what was said, who speaks, how clean it sounds, and the melody."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from benches.f0_peers import swift
from benches.sources import ROOT, STREAM_RATE, at_rate
from persona_voice.errors import SettingError
from persona_voice.model.verifier import load_verifier

Samples = npt.NDArray[np.float32]
F0 = npt.NDArray[np.float64]

REFERENCE = ROOT / "persona_voice" / "assets" / "personas" / "samantha" / "reference"
JUDGE_RATE = 16_000
F0_RATE = 24_000
F0_FRAME_MS = 10.0
# An octave flip: further than half an octave from where the contour should be.
FLIP_OCTAVES = 0.5
# A peak below this is silence, in which nobody speaks.
SILENT = 1e-4
# Two trackers that are as near as this agree: 50 cents.
AGREED_OCTAVES = 1 / 24
# Fewer that count give no correlation worth a name.
FEWEST_FRAMES = 20
# Silence before and after what `OtherWords` hears, at `JUDGE_RATE`: it waits for both.
AROUND = (1_600, 8_000)
# Whisper writes small numbers now as words, now as digits.
SMALL_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
)  # fmt: skip
DIGITS = {word: str(number) for number, word in enumerate(SMALL_NUMBERS)}
# What DNSMOS hears at once; a shorter sound is repeated to fill it, as its authors do. They go on
# doubling and then average over windows of the same repeated sound, at up to six times the cost.
DNSMOS_WINDOW = 144_160


class Words:
    """Whisper base, int8, beam 5, one temperature: the same reading each time."""

    def __init__(self, models: Path) -> None:
        from faster_whisper import WhisperModel

        folder = models / "whisper-base"
        if not (folder / "model.bin").exists():
            raise FileNotFoundError(f"no Whisper base in {folder} (make train downloads it)")
        self.model = WhisperModel(str(folder), device="cpu", compute_type="int8")

    def read(self, samples: Samples, language: str) -> str:
        """The words heard, at `STREAM_RATE`, normalised."""
        segments, _ = self.model.transcribe(
            at_rate(samples, STREAM_RATE, JUDGE_RATE),
            language=language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return normalise(" ".join(segment.text for segment in segments))


class OtherWords:
    """Moonshine tiny, which has no part in our training, as Whisper's encoder has: English only."""

    def __init__(self) -> None:
        from moonshine_voice import moonshine_api, transcriber

        folder = Path(transcriber.__file__).parent / "assets" / "tiny-en"
        if not (folder / "encoder_model.ort").exists():
            raise FileNotFoundError(
                f"no Moonshine tiny in {folder} (moonshine-voice 0.0.73 has it)"
            )
        self.model = transcriber.Transcriber(str(folder), moonshine_api.ModelArch.TINY)

    def read(self, samples: Samples, language: str) -> str | None:
        """The words heard, at `STREAM_RATE`, normalised; None in languages that it doesn't know."""
        if language != "en":
            return None
        heard = at_rate(samples, STREAM_RATE, JUDGE_RATE)
        heard = np.pad(heard / max(float(np.abs(heard).max(initial=0.0)), SILENT), AROUND)
        transcript = self.model.transcribe_without_streaming(heard.tolist(), JUDGE_RATE)
        return normalise(" ".join(line.text for line in transcript.lines))


def normalise(words: str) -> str:
    """Lower case, no punctuation, small numbers as digits, single spaces."""
    letters = re.sub(r"[^\w\s]", " ", unicodedata.normalize("NFKC", words).lower().replace("'", ""))
    return " ".join(DIGITS.get(word, word) for word in letters.split())


def words_changed(before: str | None, after: str | None) -> float | None:
    """Word error rate of `after` against `before`; None without a reading to compare."""
    import jiwer

    return float(jiwer.wer(before, after)) if before and after is not None else None


def references() -> list[Samples]:
    """The persona's recordings, at `STREAM_RATE`."""
    files = sorted(REFERENCE.glob("*.flac"))
    if not files:
        raise FileNotFoundError(f"no reference recordings in {REFERENCE}")
    read = (soundfile.read(file, dtype="float32") for file in files)
    return [at_rate(samples, rate) for samples, rate in read]


def centroid(
    embed: Callable[[Samples], npt.NDArray[np.float64] | None],
) -> npt.NDArray[np.float64]:
    """Of the persona's recordings, of unit length."""
    return centre([embed(samples) for samples in references()])


def centre(embeddings: Iterable[npt.NDArray[np.floating] | None]) -> npt.NDArray[np.float64]:
    """The mean of those that there are, of unit length."""
    mean = np.mean([of for of in embeddings if of is not None], axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


class Speaker:
    """Resemblyzer, and the centroid of the persona's reference recordings."""

    def __init__(self) -> None:
        from resemblyzer import VoiceEncoder

        self.encoder = VoiceEncoder("cpu", verbose=False)

    @cached_property
    def centroid(self) -> npt.NDArray[np.float64]:
        return centroid(self.embed)

    def embed(self, samples: Samples) -> npt.NDArray[np.float64] | None:
        """Of unit length; the sound at `STREAM_RATE`; None of silence."""
        from resemblyzer import preprocess_wav

        if float(np.abs(samples).max(initial=0.0)) <= SILENT:
            return None
        heard = preprocess_wav(at_rate(samples, STREAM_RATE, JUDGE_RATE), source_sr=JUDGE_RATE)
        return np.asarray(self.encoder.embed_utterance(heard), np.float64)


class OtherSpeaker:
    """Our own verifier, which the converter never saw."""

    def __init__(self) -> None:
        self.verifier = load_verifier()

    @cached_property
    def centroid(self) -> npt.NDArray[np.float64]:
        return centroid(self.embed)

    def embed(self, samples: Samples) -> npt.NDArray[np.float64] | None:
        """Of unit length; the sound at `STREAM_RATE`; None of what holds too little speech."""
        try:
            return np.asarray(self.verifier.embed(samples, STREAM_RATE), np.float64)
        except SettingError as error:
            if error.code != "too_little_speech":
                raise
            return None


def dnsmos(samples: Samples) -> float:
    """DNSMOS OVRL, 1 to 5."""
    from speechmos import dnsmos as judge

    heard = np.clip(at_rate(samples, STREAM_RATE, JUDGE_RATE), -1, 1)
    heard = np.resize(heard, max(len(heard), DNSMOS_WINDOW))
    return float(judge.run(heard, sr=JUDGE_RATE)["ovrl_mos"])


def f0_contour(samples: Samples) -> F0:
    """Harvest, one value in Hz for each 10 ms, 0 unvoiced."""
    import pyworld

    x = at_rate(samples, STREAM_RATE, F0_RATE).astype(np.float64)
    f0, _ = pyworld.harvest(x, F0_RATE, f0_floor=60, f0_ceil=700, frame_period=F0_FRAME_MS)
    return np.asarray(f0, np.float64)


class Melodies:
    """F0 by two trackers of others: where Harvest alone is asked, it follows noise beside every vowel."""

    def __init__(self) -> None:
        self.swift = swift(stream=False)

    def heard(self, samples: Samples) -> F0:
        """SwiftF0, as `f0_contour`: its nearest frame."""
        x = at_rate(samples, STREAM_RATE, F0_RATE)
        told = self.swift.track(x)
        f0 = np.where(told.sure >= self.swift.threshold, told.f0_hz, 0.0)
        moments = np.arange(int(1000 * len(x) / F0_RATE / F0_FRAME_MS)) * F0_FRAME_MS / 1000
        return np.asarray(f0[np.abs(told.seconds[:, None] - moments).argmin(axis=0)], np.float64)

    def agreed(self, samples: Samples) -> F0:
        """Harvest where SwiftF0 agrees, 0 elsewhere."""
        heard, contour = self.heard(samples), f0_contour(samples)
        contour = contour[: len(heard)]
        with np.errstate(divide="ignore", invalid="ignore"):
            near = np.abs(np.log2(heard / contour)) < AGREED_OCTAVES
        return np.where(near, contour, 0.0)


@dataclass(frozen=True)
class Melody:
    """The contour that came out against the one wanted: the source's, moved as a whole.

    Over frames in which the source's F0 is sure (`Melodies.agreed`) and the output is voiced.
    """

    correlation: float | None  # of log F0
    flips: float | None  # share of these frames further than `FLIP_OCTAVES` off
    lost: float | None  # share of the source's sure frames that came out unvoiced
    median_hz: float | None
    moved_semitones: float | None  # median distance from the source


def melody(source: F0, output: F0) -> Melody:
    n = min(len(source), len(output))
    sure = source[:n] > 0
    voiced = sure & (output[:n] > 0)
    heard = output[output > 0]
    median = float(np.median(heard)) if len(heard) else None
    lost = float(1 - voiced.sum() / sure.sum()) if sure.any() else None
    if voiced.sum() < FEWEST_FRAMES:
        return Melody(None, None, lost, median, None)
    before, after = np.log2(source[:n][voiced]), np.log2(output[:n][voiced])
    moved = float(np.median(after - before))
    flips = float(np.mean(np.abs(after - before - moved) > FLIP_OCTAVES))
    spread = before.std() * after.std()
    correlation = float(np.corrcoef(before, after)[0, 1]) if spread > 0 else None
    return Melody(correlation, flips, lost, median, 12 * moved)
