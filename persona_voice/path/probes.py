"""What she says to be compared with herself: a few sentences of other people, in her voice."""

from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.audio.files import SoundReader
from persona_voice.converter import Converter
from persona_voice.path.offline import convert_array
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import Persona
from persona_voice.persona.state import Manner

Samples = npt.NDArray[np.float32]

# Two women and two men, and so many seconds of each at most, from so far in: no pause at the start.
RECORDINGS = ("arctic_slt_en_f", "sonnet_en_f", "austen_en_m", "arctic_awb_en_m")
SECONDS, FROM_S = 4.0, 0.3
RATE = _core.RATE


@cache
def probes() -> tuple[Samples, ...]:
    """Their speech, float32 ``[samples]`` at 24 kHz."""
    folder = Path(str(files("persona_voice"))) / "assets" / "recordings"
    return tuple(_read(folder / f"{name}.flac") for name in RECORDINGS)


def spoken(converter: Converter, persona: Persona, manner: Manner) -> list[Samples]:
    """Each probe in her voice, in time with it and as long."""
    stream = VoiceStream(converter, persona, RATE, manner)
    return [convert_array(stream, probe) for probe in probes()]


def _read(file: Path) -> Samples:
    with SoundReader(file) as reader:
        whole, rate = np.concatenate(list(reader.blocks())), reader.sample_rate
    start = round(FROM_S * rate)
    resampler = _core.Resampler(rate, RATE)
    cut = np.ascontiguousarray(whole[start : start + round(SECONDS * rate)])
    return np.concatenate([resampler.process(cut), resampler.flush()])
