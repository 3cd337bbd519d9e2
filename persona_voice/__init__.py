"""A voice of its own for anything that speaks: any speech in, one persona's voice out, live.

>>> import persona_voice
>>> stream = persona_voice.open_stream("samantha", sample_rate=16_000)  # doctest: +SKIP
>>> out = stream.process(block)  # float32 mono, any length; as many samples come back # doctest: +SKIP

Nothing happens on import: no device, no thread, no weights, no torch.
"""

from typing import TYPE_CHECKING, Any

from persona_voice.errors import (
    AudioFileError,
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
    from persona_voice.build import convert, open_batch, open_stream, say
    from persona_voice.growth import change_over, grow, upgrade
    from persona_voice.path.batch import VoiceBatch
    from persona_voice.path.stream import StreamStatus, VoiceStream
    from persona_voice.persona.diary import Diary
    from persona_voice.persona.event import Event, Kind, happened
    from persona_voice.persona.life import persona_of, state_on
    from persona_voice.persona.persona import Persona, load_persona, persona_names
    from persona_voice.persona.state import Manner, PersonaState
    from persona_voice.persona.store import Store
    from persona_voice.persona.voice import Voice

__all__ = [
    "AudioFileError",
    "DeviceError",
    "Diary",
    "Event",
    "Kind",
    "Manner",
    "Persona",
    "PersonaFileError",
    "PersonaState",
    "PersonaVoiceError",
    "SettingError",
    "SourceError",
    "Store",
    "StoreError",
    "StreamError",
    "StreamStatus",
    "Voice",
    "VoiceBatch",
    "VoiceStream",
    "WeightsError",
    "change_over",
    "convert",
    "grow",
    "happened",
    "load_persona",
    "open_batch",
    "open_stream",
    "persona_names",
    "persona_of",
    "say",
    "state_on",
    "upgrade",
]

_WHERE = {
    "Diary": "persona.diary",
    "Event": "persona.event",
    "Kind": "persona.event",
    "Manner": "persona.state",
    "Persona": "persona.persona",
    "PersonaState": "persona.state",
    "Store": "persona.store",
    "StreamStatus": "path.stream",
    "Voice": "persona.voice",
    "VoiceBatch": "path.batch",
    "VoiceStream": "path.stream",
    "change_over": "growth",
    "convert": "build",
    "grow": "growth",
    "happened": "persona.event",
    "load_persona": "persona.persona",
    "open_batch": "build",
    "open_stream": "build",
    "persona_names": "persona.persona",
    "persona_of": "persona.life",
    "say": "build",
    "state_on": "persona.life",
    "upgrade": "growth",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
