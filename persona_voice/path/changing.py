"""From one converter to another while a stream speaks, without a break."""

from collections.abc import Callable

import numpy as np

from persona_voice import _core
from persona_voice.converter import BANDS, SILENT_MEL, Converter, Frames
from persona_voice.persona.persona import Persona

# So long the new converter only listens, in hops: until it has heard all that it can remember, the speaker's
# colour, which it takes from the last five seconds, among it.
LISTENING_HOPS = 500
# Then its envelopes come, over 200 ms, as a manner does.
CROSSING_HOPS = 20


class Hearing:
    """A converter and its memory of one stream, whose frames it hears `late` hops after they came."""

    def __init__(self, converter: Converter, late: int = 0) -> None:
        self.converter = converter
        self._state = converter.start()
        if late and isinstance(self._state, _core.Network):
            self._state, late = self._state.late_by(late), 0
        self._waiting = np.full((late, BANDS), SILENT_MEL, np.float32)

    @property
    def convert(self) -> "_core.Network | Callable[[Frames], Frames]":
        """What the core runs itself, or calls back."""
        return self._state if isinstance(self._state, _core.Network) else self

    def __call__(self, frames: Frames) -> Frames:
        if len(self._waiting):
            known = np.concatenate([self._waiting, frames])
            frames, self._waiting = known[: len(frames)], known[len(frames) :]
        if isinstance(self._state, _core.Network):
            return self._state.process(frames)
        self._state, envelopes = self.converter.step(self._state, frames)
        return envelopes


class ChangeOver:
    """Two converters hear the same: the old one is heard, then both, then the new one.

    ```
      share of the new │            ╭────
                       │           ╱
                       └──────────┼──┼───  hops
                        listening  crossing
    ```

    A new one that fails is given up, and the old one stays.
    """

    def __init__(self, old: Hearing, new: Hearing, before: Persona, persona: Persona) -> None:
        self._old, self.new = old, new
        self.before, self.persona = before, persona
        self.hops = 0
        self.failed = False

    @property
    def crossing(self) -> bool:
        return self.hops >= LISTENING_HOPS

    @property
    def done(self) -> bool:
        return self.hops >= LISTENING_HOPS + CROSSING_HOPS

    def __call__(self, frames: Frames) -> Frames:
        spoken = self._old(frames)
        answer = None if self.failed else self._answer(frames)
        hops = self.hops + 1 + np.arange(len(frames))
        self.hops += len(frames)
        if answer is None:
            return spoken
        share = np.clip((hops - LISTENING_HOPS) / CROSSING_HOPS, 0, 1).astype(np.float32)[:, None]
        return np.where(share < 1, spoken + share * (answer - spoken), answer)

    def _answer(self, frames: Frames) -> Frames | None:
        try:
            answer = self.new(frames)
            if answer.shape[:1] == frames.shape[:1] and np.isfinite(answer).all():
                return answer
        except Exception:  # whatever a converter of others does, the voice goes on
            pass
        self.failed = True
        return None
