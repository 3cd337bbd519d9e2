"""A voice of its own for anything that speaks: any speech in, one persona's voice out, live.

>>> import persona_voice
>>> stream = persona_voice.open_stream("samantha", sample_rate=16_000)  # doctest: +SKIP
>>> out = stream.process(block)  # float32 mono, any length; as many samples come back # doctest: +SKIP

Nothing happens on import: no device, no thread, no weights, no torch.
"""

from typing import TYPE_CHECKING, Any

from persona_voice.errors import (
    AudioFileError,
    ConsentError,
    DeviceError,
    PersonaFileError,
    PersonaVoiceError,
    SettingError,
    SourceError,
    StoreError,
    StreamError,
    WeightsError,
)

if TYPE_CHECKING:
    from persona_voice._core import Resampler, Vad
    from persona_voice.build import convert, open_batch, open_stream, say
    from persona_voice.enrolment import Enrolment, enrol
    from persona_voice.growth import change_over, grow, upgrade
    from persona_voice.path.batch import VoiceBatch
    from persona_voice.path.listening import Listener
    from persona_voice.path.stream import StreamStatus, VoiceStream
    from persona_voice.persona.diary import Diary
    from persona_voice.persona.entrain import Leaning, Turn, entrain, towards
    from persona_voice.persona.event import Event, Kind, happened
    from persona_voice.persona.life import persona_of, state_on
    from persona_voice.persona.mood import mood
    from persona_voice.persona.persona import Persona, load_persona, persona_names
    from persona_voice.persona.state import Manner, PersonaState
    from persona_voice.persona.store import Store
    from persona_voice.persona.voice import Voice

__all__ = [
    "AudioFileError",
    "ConsentError",
    "DeviceError",
    "Diary",
    "Enrolment",
    "Event",
    "Kind",
    "Leaning",
    "Listener",
    "Manner",
    "Persona",
    "PersonaFileError",
    "PersonaState",
    "PersonaVoiceError",
    "Resampler",
    "SettingError",
    "SourceError",
    "Store",
    "StoreError",
    "StreamError",
    "StreamStatus",
    "Turn",
    "Vad",
    "Voice",
    "VoiceBatch",
    "VoiceStream",
    "WeightsError",
    "change_over",
    "convert",
    "enrol",
    "entrain",
    "grow",
    "happened",
    "load_persona",
    "mood",
    "open_batch",
    "open_stream",
    "persona_names",
    "persona_of",
    "say",
    "state_on",
    "towards",
    "upgrade",
]

_WHERE = {
    "Diary": "persona.diary",
    "Enrolment": "enrolment",
    "Event": "persona.event",
    "Kind": "persona.event",
    "Leaning": "persona.entrain",
    "Listener": "path.listening",
    "Manner": "persona.state",
    "Persona": "persona.persona",
    "PersonaState": "persona.state",
    "Resampler": "_core",
    "Store": "persona.store",
    "StreamStatus": "path.stream",
    "Turn": "persona.entrain",
    "Vad": "_core",
    "Voice": "persona.voice",
    "VoiceBatch": "path.batch",
    "VoiceStream": "path.stream",
    "change_over": "growth",
    "convert": "build",
    "enrol": "enrolment",
    "entrain": "persona.entrain",
    "grow": "growth",
    "happened": "persona.event",
    "load_persona": "persona.persona",
    "open_batch": "build",
    "open_stream": "build",
    "persona_names": "persona.persona",
    "mood": "persona.mood",
    "persona_of": "persona.life",
    "say": "build",
    "state_on": "persona.life",
    "towards": "persona.entrain",
    "upgrade": "growth",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
