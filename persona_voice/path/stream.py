"""The whole path as one stream: any speech in, the persona out, block by block.

    in ─ resample ─┬─ log-mel ─ less noise ─ convert ─┬─ vocode ─ wait ─ limit ─ resample ─ out
                   ├─ F0 ─ shape ─ (wait for convert) ┘
                   └─ VAD, level: the status

The core runs it, and the network too if the converter lies in the core; any other converter is
called back with the frames of the block. Whatever fails, the output fades to silence within a hop,
and a counted fault says so.
"""

from dataclasses import astuple, dataclass, field

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.converter import Converter
from persona_voice.errors import SettingError, StreamError
from persona_voice.path.changing import ChangeOver, Hearing
from persona_voice.persona.limits import on_top
from persona_voice.persona.mood import mood as mood_named
from persona_voice.persona.persona import Persona
from persona_voice.persona.state import BIRTH, Manner
from persona_voice.persona.voice import Voice

Samples = npt.NDArray[np.float32]

NOISE_SEED = 0x5A3A47A
SILENCE_DB = -120.0
HOPS_PER_S = 100
# The voice that the weights were trained for.
THE_WEIGHTS = Voice()
# In which `stop` fades unless told otherwise: no click, and sooner gone than the other's first syllable.
RELEASE_MS = 40.0
# Half of a mood is gone after this, if nothing else is said: a few sentences.
HALF_LIFE_S = 20.0


@dataclass(frozen=True)
class StreamStatus:
    """What the newest hop was like, and what has gone wrong so far."""

    input_db: float = SILENCE_DB
    output_db: float = SILENCE_DB
    speech: bool = False
    f0_in_hz: float | None = None
    f0_out_hz: float | None = None
    faults: dict[str, int] = field(default_factory=dict)


def checked_block(block: Samples) -> Samples:
    """The block, contiguous.

    Raises
    ------
    StreamError
        ``wrong_array`` for anything but one dimension of float32.
    """
    if not isinstance(block, np.ndarray) or block.dtype != np.float32 or block.ndim != 1:
        got = (
            f"{block.dtype} of shape {block.shape}"
            if isinstance(block, np.ndarray)
            else repr(type(block))
        )
        raise StreamError(
            f"a block must be a float32 array of one dimension, got {got}", code="wrong_array"
        )
    return np.ascontiguousarray(block)


def new_path(
    persona: Persona, lookahead: int, sample_rate: int, manner: Manner = BIRTH
) -> _core.Path:
    """The path of a persona's stream, around a converter of that look-ahead."""
    path = _core.Path(
        sample_rate=sample_rate,
        lookahead=lookahead,
        register_hz=persona.register_hz,
        range=persona.range,
        seed=NOISE_SEED,
    )
    steer(path, persona, manner)
    path.reset()  # from the first hop on, not 200 ms later
    return path


def steer(path: _core.Path, persona: Persona, manner: Manner) -> None:
    """To all of how she speaks, in 200 ms."""
    path.set_targets(persona.register_hz, persona.range)
    path.set_manner(in_numbers(manner, persona.voice))
    path.set_delivery(astuple(persona.delivery))


def in_numbers(manner: Manner, voice: Voice = THE_WEIGHTS) -> "_core.Manner":
    """Both at once, as the core takes them. How fast she speaks is the source's matter: live, no
    sample can wait."""
    return (
        manner.register_semitones + voice.register_semitones,
        manner.range_octaves,
        manner.level_db,
        manner.breath_db + voice.breath_db,
        manner.tilt_db + voice.tilt_db,
        voice.tract_octaves,
    )


def half_life_hops(half_life_s: float | None) -> float:
    """As the core takes it: 0 for none."""
    if half_life_s is None:
        return 0.0
    if not 0.1 <= half_life_s <= 1e6:
        raise SettingError(
            f"half_life_s must lie in 0.1..=1000000 s, got {half_life_s}", code="out_of_range"
        )
    return half_life_s * HOPS_PER_S


def manner_of(mood: str | Manner, strength: float, lasting: Manner) -> Manner:
    """A named mood as far as it may go on top of what lasts; what is given in numbers as it is."""
    return on_top(lasting, mood_named(mood, strength)) if isinstance(mood, str) else mood


def status_of(newest: "_core.Status") -> StreamStatus:
    """What the core says of a path, in words."""
    input_db, output_db, speech, f0_in_hz, f0_out_hz, non_finite, failed = newest
    counts = {"non_finite": non_finite, "converter_failed": int(failed)}
    faults = {name: count for name, count in counts.items() if count}
    return StreamStatus(input_db, output_db, speech, f0_in_hz, f0_out_hz, faults)


class VoiceStream:
    """One live stream of one persona. Not to be shared between threads; make one for each.

    Parameters
    ----------
    converter : Converter
    persona : Persona
    sample_rate : int
        Of both ends, in Hz, 8,000 to 192,000.
    manner : Manner
        How she speaks, under any mood, from the first hop on.

    Streaming
    ---------
    Any block length, zero too; as many samples out as in. The output trails the input by
    ``latency_samples``: the two resamplers, the converter's look-ahead, one hop, the vocoder, the
    limiter.

    Raises
    ------
    SettingError
        ``out_of_range`` for the sample rate and the manner.
    """

    _changing: ChangeOver | None

    def __init__(
        self,
        converter: Converter,
        persona: Persona,
        sample_rate: int,
        manner: Manner = BIRTH,
    ) -> None:
        self.sample_rate = sample_rate
        self.persona = persona
        self._manner = manner
        self._lookahead = converter.lookahead
        self._path = new_path(persona, self._lookahead, sample_rate, manner)
        # Once: a part that is at work on another thread may not be asked.
        self._latency_samples = self._path.latency
        self._fade = _core.Fade(sample_rate)
        self._begin(converter)

    @property
    def latency_samples(self) -> int:
        """Samples, at ``sample_rate``, by which the output trails the input, to the nearest one.

        As `status`, it may be read from any thread while another processes.
        """
        return self._latency_samples

    @property
    def lookahead(self) -> int:
        """Samples at 24 kHz that a converter of this stream may look ahead, as its first one did."""
        return self._lookahead

    @property
    def manner(self) -> Manner:
        """How she speaks, under any mood. How fast is the source's matter."""
        return self._manner

    @property
    def status(self) -> StreamStatus:
        status = status_of(self._newest)
        if self._failed_changes:
            status.faults["change_over_failed"] = self._failed_changes
        return status

    def process(self, block: Samples) -> Samples:
        """Converts a block, float32 ``[samples]``; as many samples come back.

        Raises
        ------
        StreamError
            ``wrong_array`` for anything but one dimension of float32.
        """
        block = checked_block(block)
        changing = self._changing is not None
        out = self._process_changing(block) if changing else self._processed(block)
        return out if self._fade.idle else self._fade.process(out)

    def stop(self, release_ms: float = RELEASE_MS) -> None:
        """Falls silent, because the other has begun to speak: fades within `release_ms` from the next
        sample on, and says no more until `resume`.

        What it is given meanwhile it hears, so that it goes on knowing the speaker, and does not say.

        Parameters
        ----------
        release_ms : float
            10 to 80.

        Raises
        ------
        SettingError
            ``out_of_range``.
        """
        self._fade.close(release_ms)

    def resume(self) -> None:
        """Speaks again, of what it is given from now on: what was pending is not said any more."""
        self._fade.resume(self._latency_samples)

    def change_over(self, converter: Converter, persona: Persona) -> None:
        """Speaks with another converter and in the voice of `persona`, without a break.

        The new one listens for five seconds, while she speaks on as she did; then, over 200 ms, it
        takes over. Mood, manner, latency and what is known of the speaker stay: one that looks ahead
        less hears everything so much later. One that fails meanwhile is given up and counted
        (``change_over_failed``).

        Raises
        ------
        SettingError
            ``other_lookahead``; ``changing_over`` before the last one is done. Nothing changes.
        """
        less = self._lookahead - converter.lookahead
        if less < 0 or less % _core.HOP:
            message = (
                f"a stream must go over to a converter that looks ahead {self._lookahead} samples, as its first one did, "
                f"or whole hops of {_core.HOP} less, got {converter.lookahead}: its latency is fixed"
            )
            raise SettingError(message, code="other_lookahead")
        if self._changing is not None:
            message = (
                "a stream must have gone over to one converter before it goes over to the next"
            )
            raise SettingError(message, code="changing_over")
        self._changing = ChangeOver(
            self._hearing, self._new_hearing(converter), self.persona, persona
        )

    def _processed(self, block: Samples) -> Samples:
        convert = self._hearing.convert if self._changing is None else self._changing
        out = self._path.process(block, convert)
        self._newest = self._path.status
        return out

    def _process_changing(self, block: Samples) -> Samples:
        """In parts of half a hop, so that what changes between two hops does so wherever blocks end."""
        length = max(self.sample_rate // (2 * HOPS_PER_S), 1)
        parts = [block[:0]]
        for start in range(0, len(block), length):
            parts.append(self._processed(block[start : start + length]))
            self._go_on_changing()
        return np.concatenate(parts)

    def _go_on_changing(self) -> None:
        change = self._changing
        if change is None:
            return
        if change.failed:
            self._failed_changes += 1
            self._changing = None
            self._be(change.before)
        elif change.crossing and self.persona is not change.persona:
            self._be(change.persona)
        elif change.done:
            self._arrive(change)

    def _arrive(self, change: ChangeOver) -> None:
        self._hearing, self._changing = change.new, None
        self._be(change.persona)

    def _be(self, persona: Persona) -> None:
        """Goes over to her register and voice in 200 ms, if they are not there already."""
        if self.persona is not persona:
            self.persona = persona
            steer(self._path, persona, self._manner)

    def express(
        self, mood: str | Manner, strength: float = 1.0, half_life_s: float | None = HALF_LIFE_S
    ) -> None:
        """A mood from the next block on: there within 200 ms, and passing.

        Parameters
        ----------
        mood : str or Manner
            One of `persona_voice.persona.mood.MOODS`, of which she shows what keeps her within the
            budgets of a turn; or what differs from how she usually speaks, as it is.
        strength : float
            Of a named mood, 0 to 1.
        half_life_s : float, optional
            Half of it is gone after each; None for a mood that stays until the next.

        Raises
        ------
        SettingError
            ``unknown_mood``, ``out_of_range``; the mood before stays.
        """
        self._path.express(
            in_numbers(manner_of(mood, strength, self._manner)), half_life_hops(half_life_s)
        )

    def set_manner(self, manner: Manner) -> None:
        """How she speaks from now on, under any mood, over 200 ms; it outlasts `reset`.

        Raises
        ------
        SettingError
            ``out_of_range``; the manner before stays.
        """
        self._path.set_manner(in_numbers(manner, self.persona.voice))
        self._manner = manner

    def flush(self) -> Samples:
        """Ends the stream: its last ``latency_samples`` samples; then it is as new."""
        rest = self.process(np.zeros(self.latency_samples, np.float32))
        self.reset()
        return rest

    def reset(self) -> None:
        """Forgets the stream, its faults and its mood, and that it was stopped; a change-over is done at
        once."""
        if self._changing is not None:
            self._arrive(self._changing)
        self._path.reset()
        self._fade = _core.Fade(self.sample_rate)
        self._begin(self._hearing.converter)

    def _begin(self, converter: Converter) -> None:
        self._newest = self._path.status
        self._hearing = self._new_hearing(converter)
        self._changing = None
        self._failed_changes = 0

    def _new_hearing(self, converter: Converter) -> Hearing:
        return Hearing(converter, (self._lookahead - converter.lookahead) // _core.HOP)
