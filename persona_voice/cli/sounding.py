"""What a persona says for an action: spoken, into a file, or to the loudspeaker if there is one."""

import sys
from collections.abc import Iterable
from pathlib import Path

from persona_voice.audio.files import SoundWriter
from persona_voice.build import Spoken, say
from persona_voice.errors import DeviceError
from persona_voice.path.speaking import Samples
from persona_voice.persona.persona import Persona
from persona_voice.persona.state import BIRTH, Manner


def spoken(text: str, persona: Persona, manner: Manner = BIRTH) -> Spoken:
    """With what speaks underneath everywhere, espeak-ng."""
    sound = say(text, persona, manner=manner)
    assert sound is not None  # it is for a file only
    return sound


def write(path: Path, blocks: Iterable[Samples], sample_rate: int) -> None:
    with SoundWriter(path, sample_rate) as writer:
        for block in blocks:
            writer.write(block)


def play(sounds: Iterable[Spoken]) -> bool:
    """Whether they were heard: a missing sound card is told, and is no reason to fail."""
    from persona_voice.audio.playing import Player

    try:
        for samples, rate in sounds:
            with Player(rate) as player:
                player.write(samples)
    except DeviceError as error:
        print(f"persona-voice: not played: {error}", file=sys.stderr)
        return False
    return True
