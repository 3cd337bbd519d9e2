"""Kokoro-82M as a source: phonemes by espeak-ng, sound by a network in a folder of files."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from persona_voice.errors import SourceError
from persona_voice.sources.espeak import EspeakWorker
from persona_voice.sources.source import Samples

MODEL, VOCABULARY, VOICES = "kokoro-v1.0.int8.onnx", "vocab.json", "*voices*.npz"
SAMPLE_RATE = 24_000
DEFAULT_VOICE = "af_heart"
# The network reads at most this many phonemes at once, and has a row of style for each number.
MAX_PHONEMES = 509
BLOCK_SAMPLES = SAMPLE_RATE // 25
# The first letter of a voice's name to the espeak-ng voice that gives its phonemes.
LANGUAGES = {
    "a": "en-us", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "p": "pt-br",
}  # fmt: skip
# espeak-ng's IPA to the phonemes that Kokoro was trained on; longer ones first.
SPELLING = (
    ("\u200d", ""), ("͡", ""), ("ː", ""), ("ˑ", ""), ("\n", ", "),
    ("tʃ", "ʧ"), ("dʒ", "ʤ"), ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"),
    ("oʊ", "O"), ("əʊ", "Q"), ("ɚ", "əɹ"), ("r", "ɹ"), ("ɐ", "ə"),
    ("ɭ", "l"), ("ʑ", "ʒ"), ("ɵ", "o"),
)  # fmt: skip


def default_folder() -> Path:
    """Where `make train` and `make bench` put it."""
    return Path.home() / ".cache" / "persona-voice" / "models" / "kokoro"


class KokoroSource:
    """Kokoro in one of its voices.

    A sentence is made whole before its first sample comes.

    Parameters
    ----------
    folder : Path
        With ``kokoro-v1.0.int8.onnx``, ``vocab.json`` and packs ``[510, 256]`` in a
        ``*voices*.npz``.
    voice : str
        Name of a pack, as ``af_heart``.
    speed : float
        1 is the voice's own.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, folder: Path, voice: str = DEFAULT_VOICE, speed: float = 1.0) -> None:
        voices = _found(folder)
        self._pack = _pack(voices, voice)
        self._language, self._speed = LANGUAGES[voice[0]], speed
        self._session = _session(folder / MODEL)
        vocabulary = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
        self._vocabulary: dict[str, int] = vocabulary["vocab"]
        self._espeak = EspeakWorker()

    def speak(self, text: str, rate: float = 1.0) -> Iterator[Samples]:
        ipa = b"".join(self._espeak.ask(op="phonemes", text=text, voice=self._language)).decode()
        ids = [self._vocabulary[p] for p in phonemes(ipa, text) if p in self._vocabulary]
        for at in range(0, len(ids), MAX_PHONEMES):
            samples = self._made(ids[at : at + MAX_PHONEMES], self._speed * rate)
            for start in range(0, len(samples), BLOCK_SAMPLES):
                yield samples[start : start + BLOCK_SAMPLES]

    def _made(self, ids: list[int], speed: float) -> Samples:
        feed = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": self._pack[len(ids)][None],
            "speed": np.array([speed], np.float32),
        }
        try:
            (samples,) = self._session.run(None, feed)
        except Exception as error:  # onnxruntime's own kinds have no common base but this
            message = f"Kokoro failed on {len(ids)} phonemes: {_line(error)}"
            raise SourceError(message, code="source_crashed") from error
        return np.ascontiguousarray(np.asarray(samples, np.float32).reshape(-1))

    def close(self) -> None:
        self._espeak.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def phonemes(ipa: str, text: str) -> str:
    """espeak-ng's IPA in Kokoro's spelling, with the sign that ends the text."""
    ipa = re.sub(r"\([a-z-]+\)", "", ipa)  # marks of a switch of language
    for old, new in SPELLING:
        ipa = ipa.replace(old, new)
    ending = text.rstrip("\"')”’ \n")[-1:]
    return ipa.strip() + (ending if ending in {".", "!", "?", ",", ";", ":", "…"} else "")


def _found(folder: Path) -> Path:
    """The file of voices; refuses a folder without it or without the model."""
    voices = sorted(folder.glob(VOICES))
    missing = [name for name in (MODEL, VOCABULARY) if not (folder / name).is_file()]
    if not voices:
        missing.append(VOICES)
    if missing:
        message = (
            f"Kokoro needs {', '.join(missing)} in {folder}; "
            "python -m training.models puts all of it there"
        )
        raise SourceError(message, code="source_missing")
    return voices[0]


def _pack(voices: Path, voice: str) -> npt.NDArray[np.float32]:
    """``[510, 256]``: a style for each number of phonemes."""
    with np.load(voices) as packs:
        names = sorted(name for name in packs.files if name[:1] in LANGUAGES)
        if voice not in names:
            message = f"Kokoro has no voice {voice!r}; there are: {', '.join(names)}"
            raise SourceError(message, code="source_refused")
        pack: npt.NDArray[np.float32] = packs[voice].astype(np.float32).reshape(-1, 256)
    return pack


def _session(model: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        message = "Kokoro needs onnxruntime: pip install 'persona-voice-engine[kokoro]'"
        raise SourceError(message, code="source_missing") from error
    try:
        return onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        message = f"{model} must be a model that onnxruntime reads: {_line(error)}"
        raise SourceError(message, code="source_missing") from error


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
