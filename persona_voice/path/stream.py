"""The whole path as one stream: any speech in, the persona out, block by block.

    in ─ resample ─┬─ log-mel ─ convert ──────────────┬─ vocode ─ wait ─ limit ─ resample ─ out
                   ├─ F0 ─ shape ─ (wait for convert) ┘
                   └─ VAD, level: the status

The core runs it, and the network too if the converter lies in the core; any other converter is
called back with the frames of the block. Whatever fails, the output fades to silence within a hop,
and a counted fault says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.converter import Converter, Frames
from persona_voice.errors import StreamError
from persona_voice.persona.persona import Persona

Samples = npt.NDArray[np.float32]

NOISE_SEED = 0x5A3A47A
SILENCE_DB = -120.0


@dataclass(frozen=True)
class StreamStatus:
    """What the newest hop was like, and what has gone wrong so far."""

    input_db: float = SILENCE_DB
    output_db: float = SILENCE_DB
    speech: bool = False
    f0_in_hz: float | None = None
    f0_out_hz: float | None = None
    faults: dict[str, int] = field(default_factory=dict)


def new_path(persona: Persona, lookahead: int, sample_rate: int) -> _core.Path:
    """The path of a persona's stream, around a converter of that look-ahead."""
    return _core.Path(
        sample_rate=sample_rate,
        lookahead=lookahead,
        register_hz=persona.register_hz,
        range=persona.range,
        seed=NOISE_SEED,
    )


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

    Streaming
    ---------
    Any block length, zero too; as many samples out as in. The output trails the input by
    ``latency_samples``: the two resamplers, the converter's look-ahead, one hop, the vocoder, the
    limiter.

    Raises
    ------
    SettingError
        ``out_of_range`` for the sample rate.
    """

    _convert: _core.Network | Callable[[Frames], Frames]

    def __init__(self, converter: Converter, persona: Persona, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.persona = persona
        self._converter = converter
        self._path = new_path(persona, converter.lookahead, sample_rate)
        # Once: a part that is at work on another thread may not be asked.
        self._latency_samples = self._path.latency
        self._begin()

    @property
    def latency_samples(self) -> int:
        """Samples, at ``sample_rate``, by which the output trails the input, to the nearest one.

        As `status`, it may be read from any thread while another processes.
        """
        return self._latency_samples

    @property
    def status(self) -> StreamStatus:
        return status_of(self._newest)

    def process(self, block: Samples) -> Samples:
        """Converts a block, float32 ``[samples]``; as many samples come back.

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
        out = self._path.process(np.ascontiguousarray(block), self._convert)
        self._newest = self._path.status
        return out

    def flush(self) -> Samples:
        """Ends the stream: its last ``latency_samples`` samples; then it is as new."""
        rest = self.process(np.zeros(self.latency_samples, np.float32))
        self.reset()
        return rest

    def reset(self) -> None:
        """Forgets the stream and its faults."""
        self._path.reset()
        self._begin()

    def _begin(self) -> None:
        self._newest = self._path.status
        self._state = self._converter.start()
        self._convert = self._step
        if isinstance(self._state, _core.Network):
            self._convert = self._state

    def _step(self, frames: Frames) -> Frames:
        self._state, envelopes = self._converter.step(self._state, frames)
        return envelopes
