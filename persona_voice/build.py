"""From names and settings to a running path; the one place that joins the parts."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.audio.files import SoundReader, SoundWriter
from persona_voice.converter import MODES, Converter
from persona_voice.errors import SettingError, StreamError, WeightsError
from persona_voice.model.native_converter import load_converter
from persona_voice.path.batch import Streams, VoiceBatch
from persona_voice.path.markup import read_script
from persona_voice.path.offline import convert_array, converted
from persona_voice.path.speaking import Saying, spoken
from persona_voice.path.stream import NOISE_SEED, VoiceStream
from persona_voice.persona.mood import mood as mood_named
from persona_voice.persona.persona import Persona, load_persona
from persona_voice.persona.state import BIRTH, Manner
from persona_voice.sources.source import open_source

ENGINES = ("auto", "native", "torch")


class Spoken(NamedTuple):
    """What was said: float32 mono ``[samples]``, and their rate in Hz."""

    samples: npt.NDArray[np.float32]
    sample_rate: int


def weights_folder() -> Path:
    return Path(str(files("persona_voice"))) / "assets" / "weights"


def open_stream(
    persona: Persona | str = "samantha",
    sample_rate: int = 48_000,
    mode: str = "live",
    *,
    manner: Manner = BIRTH,
    weights: Path | None = None,
    engine: str = "auto",
) -> VoiceStream:
    """A stream that turns any speech into the persona's.

    Parameters
    ----------
    persona : Persona or str
        As from `load_persona`, or a name for it.
    sample_rate : int
        Of both ends, in Hz.
    mode : str
        ``live``, or ``studio`` for more look-ahead.
    manner : Manner
        How she speaks, under any mood, from the first hop on: `PersonaState.spoken`.
    weights : Path, optional
        A weights file instead of the persona's own.
    engine : str
        What runs the network: ``native``, the Rust core, or ``torch``; ``auto`` takes native. Both
        give the same sound within 1e-4.

    Raises
    ------
    SettingError
        ``unknown_mode``, ``unknown_engine``, ``out_of_range``.
    PersonaFileError, WeightsError
    """
    persona, file = _named(persona, mode, weights)
    _check_engine(engine)
    converter = _torch_converter(file, mode) if engine == "torch" else load_converter(file, mode)
    return VoiceStream(converter, persona, sample_rate, manner)


def open_batch(
    slots: int,
    persona: Persona | str = "samantha",
    sample_rate: int = 48_000,
    mode: str = "live",
    *,
    weights: Path | None = None,
    engine: str = "auto",
    device: str = "cpu",
) -> VoiceBatch:
    """Room for many streams of one persona that are stepped together, by one thread.

    Parameters
    ----------
    slots : int
        Streams at once, 1 to 4,096.
    persona, sample_rate, mode, weights
        As of `open_stream`, for all streams.
    engine : str
        ``native``, the Rust core, or ``torch``, for GPUs: network and vocoder run there, and only
        sound comes back; the core keeps the rest, from 129 slots on with a thread for each of the
        processor's cores. ``auto`` takes native.
    device : str
        Of the engine torch, as torch names it: ``cpu``, ``cuda``, ``cuda:1``.

    Raises
    ------
    SettingError
        ``unknown_mode``, ``unknown_engine``, ``unknown_torch_device``, ``out_of_range``.
    PersonaFileError, WeightsError
    """
    persona, file = _named(persona, mode, weights)
    _check_engine(engine)
    if engine == "torch":
        with needs_torch("the engine torch"):
            from persona_voice.model import torch_batch, torch_converter
        slow = torch_converter.load_converter(file, mode)
        lookahead = slow.lookahead
        streams: Streams = torch_batch.TorchBatch(slow, sample_rate, slots, NOISE_SEED, device)
    else:
        if device != "cpu":
            message = f"device must be cpu for the engine native, got {device!r}"
            raise SettingError(message, code="unknown_torch_device")
        converter = load_converter(file, mode)
        lookahead = converter.lookahead
        streams = _core.Batch(converter.start(), sample_rate=sample_rate, slots=slots)
    return VoiceBatch(streams, lookahead, persona, sample_rate, slots)


def _named(persona: Persona | str, mode: str, weights: Path | None) -> tuple[Persona, Path]:
    if mode not in MODES:
        raise SettingError(
            f"mode must be one of {', '.join(MODES)}, got {mode!r}", code="unknown_mode"
        )
    if isinstance(persona, str):
        persona = load_persona(persona)
    return persona, weights or weights_folder() / persona.weights


def _check_engine(engine: str) -> None:
    if engine not in ENGINES:
        raise SettingError(
            f"engine must be one of {', '.join(ENGINES)}, got {engine!r}", code="unknown_engine"
        )


def _torch_converter(file: Path, mode: str) -> Converter:
    with needs_torch("the engine torch"):
        from persona_voice.model import torch_converter
    return torch_converter.load_converter(file, mode)


@contextmanager
def needs_torch(what: str) -> Iterator[None]:
    """Around imports of what needs it."""
    try:
        yield
    except ImportError as error:
        message = f"{what} needs the extra torch, which does not load here: {error}"
        raise WeightsError(message, code="no_torch") from error


def convert(
    source: str | Path | npt.NDArray[np.float32],
    persona: Persona | str = "samantha",
    *,
    sample_rate: int | None = None,
    out: str | Path | None = None,
    mode: str = "studio",
    mood: str = "neutral",
    manner: Manner = BIRTH,
    weights: Path | None = None,
) -> npt.NDArray[np.float32] | None:
    """A whole sound in the persona's voice, in time with the source and as long as it.

    Parameters
    ----------
    source : str, Path or array
        A sound file (any format libsndfile reads, 8 to 192 kHz, up to 8 channels, averaged), or
        float32 mono samples ``[samples]``, which need ``sample_rate``.
    out : str or Path, optional
        A file to write instead of returning samples; of any length, in constant memory.
    mode : str
        ``studio``, or ``live`` for what a live stream would give.
    mood : str
        How she feels all the while: one of `persona_voice.persona.mood.MOODS`.
    manner : Manner
        As of `open_stream`.

    Returns
    -------
    array ``[samples]`` at the source's rate, or None if ``out`` is given.

    Raises
    ------
    SettingError
        ``no_sample_rate`` for samples without one; ``unknown_mood``, ``unknown_mode``.
    AudioFileError, StreamError, PersonaFileError, WeightsError
    """
    if isinstance(source, np.ndarray):
        if sample_rate is None:
            raise SettingError(
                "samples must come with their sample_rate in Hz", code="no_sample_rate"
            )
        if not np.isfinite(source).all():
            raise StreamError("samples must be finite, got NaN or infinity", code="non_finite")
        stream = open_stream(persona, sample_rate, mode, manner=manner, weights=weights)
        stream.express(mood, half_life_s=None)
        blocks = iter([convert_array(stream, source)])
        return _deliver(blocks, out, sample_rate, len(source))
    with SoundReader(Path(source)) as reader:
        stream = open_stream(persona, reader.sample_rate, mode, manner=manner, weights=weights)
        stream.express(mood, half_life_s=None)
        rate, num_samples = reader.sample_rate, reader.num_samples
        return _deliver(converted(stream, reader.blocks()), out, rate, num_samples)


def say(
    text: str,
    persona: Persona | str = "samantha",
    *,
    source: str = "espeak",
    voice: str | None = None,
    out: str | Path | None = None,
    mode: str = "live",
    mood: str = "neutral",
    manner: Manner = BIRTH,
    weights: Path | None = None,
) -> Spoken | None:
    """Text to speech underneath, the persona on top.

    Parameters
    ----------
    text : str
        With tags or without, as `persona_voice.path.markup` reads them: SSML's breaks, emphasis, prosody
        and marks, and ``<expr type="expression" label="happy">``. A tag that cannot be followed is a
        `UserWarning`, once, and what it holds is said all the same.
    mood : str
        How she feels where no tag says otherwise: one of `persona_voice.persona.mood.MOODS`.
    manner : Manner
        As of `open_stream`; she speaks as fast as it says, too.
    source : str
        ``espeak``, ``kokoro`` or ``command:...``; ``voice`` is one of its voices.
    out : str or Path, optional
        A file to write instead of returning samples.

    Returns
    -------
    Spoken
        Samples and their rate, or None if ``out`` is given.

    Raises
    ------
    SettingError, SourceError, AudioFileError, PersonaFileError, WeightsError
    """
    saying = Saying(read_script(text, mood_named(mood)))
    if saying.script.problems:
        warnings.warn(f"the text is said all the same: {saying.script.problems[0]}", stacklevel=2)
    with open_source(source, voice) as speaker:
        rate = speaker.sample_rate
        stream = open_stream(persona, rate, mode, manner=manner, weights=weights)
        samples = _deliver(spoken(speaker, stream, saying), out, rate)
    return None if samples is None else Spoken(samples, rate)


def _deliver(
    blocks: Iterator[npt.NDArray[np.float32]],
    out: str | Path | None,
    sample_rate: int,
    num_samples: int = 0,
) -> npt.NDArray[np.float32] | None:
    if out is None:
        return np.concatenate(list(blocks))
    with SoundWriter(Path(out), sample_rate, num_samples) as writer:
        for block in blocks:
            writer.write(block)
    return None
