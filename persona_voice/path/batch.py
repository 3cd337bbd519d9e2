"""Many conversations at once: their streams stepped together, by the core or by torch."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.path.stream import (
    HALF_LIFE_S,
    RELEASE_MS,
    StreamStatus,
    half_life_hops,
    in_numbers,
    manner_of,
    new_path,
    status_of,
)
from persona_voice.persona.persona import Persona
from persona_voice.persona.state import BIRTH, Manner

Blocks = npt.NDArray[np.float32]


class Streams(Protocol):
    """What steps them: `persona_voice._core.Batch`, or its twin in torch."""

    def join(self, path: _core.Path, /) -> int: ...
    def leave(self, slot: int, /) -> None: ...
    def process(self, blocks: Blocks, /) -> Blocks: ...
    def set_manner(self, slot: int, manner: "_core.Manner") -> None: ...
    def express(self, slot: int, mood: "_core.Manner", half_life_hops: float) -> None: ...
    def status(self, slot: int, /) -> "_core.Status": ...


class VoiceBatch:
    """Streams of one persona that come and go, on one thread. Each sounds as it would alone, to the
    last bit in the core and within 1e-4 in torch; together they read the network's weights once,
    which costs less.

    Parameters
    ----------
    streams : Streams
        With room for `slots` of them.
    lookahead : int
        Of their network, in samples at 24 kHz.
    persona : Persona
    sample_rate : int
        Of all streams, in Hz, 8,000 to 192,000.
    slots : int
        Room for so many streams, 1 to 4,096.

    Streaming
    ---------
    Any block length, zero too, the same for all; as many samples out as in, ``latency_samples``
    later.

    Raises
    ------
    SettingError
        ``out_of_range``.
    """

    def __init__(
        self,
        streams: Streams,
        lookahead: int,
        persona: Persona,
        sample_rate: int,
        slots: int,
    ) -> None:
        self.sample_rate = sample_rate
        self.slots = slots
        self.persona = persona
        self._new = new_path(persona, lookahead, sample_rate)
        self._streams = streams
        self._manners: dict[int, Manner] = {}  # of those slots that were given one
        self._fades: dict[int, _core.Fade] = {}  # of those that were stopped

    @property
    def latency_samples(self) -> int:
        """Samples by which each output trails its input, as of a `VoiceStream`."""
        return self._new.latency

    def join(self) -> int:
        """A stream that begins with the next block: its slot, the row of its blocks.

        Raises
        ------
        SettingError
            ``batch_full``.
        """
        return self._streams.join(self._new)

    def leave(self, slot: int) -> None:
        """Ends a stream at once: what it has not said yet is not said.

        Raises
        ------
        SettingError
            ``not_joined``.
        """
        self._streams.leave(slot)
        self._manners.pop(slot, None)
        self._fades.pop(slot, None)

    def process(self, blocks: Blocks) -> Blocks:
        """Converts a block of every stream, float32 ``[slots, samples]``; as many come back.

        Rows that nobody has joined are not read, and come back as zeros.

        Raises
        ------
        SettingError
            ``wrong_array``, with nothing consumed.
        """
        out = self._streams.process(blocks)
        for slot, fade in list(self._fades.items()):
            out[slot] = fade.process(out[slot])
            if fade.idle:
                del self._fades[slot]
        return out

    def stop(self, slot: int, release_ms: float = RELEASE_MS) -> None:
        """One stream falls silent, as a `VoiceStream` does.

        Raises
        ------
        SettingError
            ``not_joined``, ``out_of_range``.
        """
        self._streams.status(slot)  # it has joined
        fade = self._fades.get(slot) or _core.Fade(self.sample_rate)
        fade.close(release_ms)
        self._fades[slot] = fade

    def resume(self, slot: int) -> None:
        """One stream speaks again, of what it is given from now on.

        Raises
        ------
        SettingError
            ``not_joined``.
        """
        self._streams.status(slot)
        if slot in self._fades:
            self._fades[slot].resume(self.latency_samples)

    def express(
        self,
        slot: int,
        mood: str | Manner,
        strength: float = 1.0,
        half_life_s: float | None = HALF_LIFE_S,
    ) -> None:
        """A mood of one stream, as of a `VoiceStream`.

        Raises
        ------
        SettingError
            ``not_joined``, ``unknown_mood``, ``out_of_range``; the mood before stays.
        """
        manner = in_numbers(manner_of(mood, strength, self._manners.get(slot, BIRTH)))
        self._streams.express(slot, manner, half_life_hops(half_life_s))

    def set_manner(self, slot: int, manner: Manner) -> None:
        """How one stream's voice speaks from now on, under any mood.

        Raises
        ------
        SettingError
            ``not_joined``, ``out_of_range``; the manner before stays.
        """
        self._streams.set_manner(slot, in_numbers(manner, self.persona.voice))
        self._manners[slot] = manner

    def status(self, slot: int) -> StreamStatus:
        """What the newest hop of a stream was like, and what has gone wrong so far.

        Raises
        ------
        SettingError
            ``not_joined``.
        """
        return status_of(self._streams.status(slot))
