"""Contenders step by turns, a short stretch of sound each, so that whatever else the machine does
meets all of them alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from benches.report import Result
from benches.streaming import Timed, figures_of, timed
from persona_voice.path.stream import VoiceStream

# Long enough that the caches are the contender's own, short enough that the load is the same for all.
TURN_MS = 500
# The first blocks of a turn are heard and not counted: another's weights lie in the caches.
COLD_BLOCKS = 2
# As in the bench `speed`.
WARM_UP_TURNS = 6


@dataclass
class Contender:
    """What is stepped, with what, and the times of its turns.

    ``blocks`` begin again when all were heard; each lasts ``block_ms`` and holds ``streams`` of them.
    ``against`` is whose share of a core its own is compared with: ours.
    """

    group: str
    name: str
    step: Any  # from a block to what came out of it, an array
    blocks: Any  # a sequence, or an array of them
    block_ms: float
    against: "Contender | None" = None
    streams: int = 1
    stream: VoiceStream | None = None  # whose faults would spoil the times
    turns: list[Timed] = field(default_factory=list)
    heard: int = 0
    silent: bool = True  # nothing but zeros has come out
    deviation: float | None = None

    def compare(self, expected: npt.NDArray[np.float32], tolerance: float) -> None:
        """Steps from the start, before any turn, against ``expected`` ``[blocks, ...]``."""
        done = timed(self.step, self._next(len(expected)))
        got = np.stack(done.answers).reshape(expected.shape)
        self.deviation = float(np.abs(got - expected).max())
        if not self.deviation < tolerance:
            raise RuntimeError(
                f"{self.title} must answer within {tolerance} of torch, got {self.deviation:.2g}: "
                "its times mean nothing"
            )

    def turn(self) -> None:
        timed(self.step, self._next(COLD_BLOCKS))
        done = timed(self.step, self._next(max(round(TURN_MS / self.block_ms), 1)))
        if not all(np.isfinite(answer).all() for answer in done.answers):
            raise RuntimeError(f"{self.title} answers NaN or infinity, its times mean nothing")
        self.silent &= not any(answer.any() for answer in done.answers)
        self.turns.append(Timed([], done.block_s, done.cpu_s))

    def _next(self, count: int) -> list[Any]:
        places = range(self.heard, self.heard + count)
        self.heard += count
        return [self.blocks[place % len(self.blocks)] for place in places]

    @property
    def title(self) -> str:
        return f"{self.group}, {self.name}, {self.block_ms:g} ms"

    @property
    def share(self) -> float:
        """Processor time to sound of one stream: the median turn.

        Processor time, since what else runs delays a slow contender more than a quick one.
        """
        sound_ms = [len(of.block_s) * self.block_ms * self.streams for of in self.turns]
        of_turns = [1000 * of.cpu_s / ms for of, ms in zip(self.turns, sound_ms, strict=True)]
        return float(np.median(of_turns))

    def figures(self) -> Result:
        times = np.concatenate([of.block_s for of in self.turns])
        cpu_s = sum(of.cpu_s for of in self.turns)
        figures = figures_of(times, cpu_s, self.block_ms)
        figures |= {share: figures[share] / self.streams for share in ("rtf", "cpu_share")}
        figures["cpu_share_median_turn"] = self.share
        if self.against is not None:
            figures["times_ours"] = self.share / self.against.share
        if self.deviation is not None:
            figures["deviation"] = self.deviation
        what = {"group": self.group, "engine": self.name, "block_ms": self.block_ms}
        return {**what, "streams": self.streams, **figures}


def take_turns(contenders: Sequence[Contender], seconds: float) -> None:
    """``seconds`` of sound each, after a warm-up."""
    for _ in range(WARM_UP_TURNS):
        for contender in contenders:
            contender.turn()
    for contender in contenders:
        contender.turns.clear()
    for _ in range(max(round(seconds * 1000 / TURN_MS), 1)):
        for contender in contenders:
            contender.turn()
    for contender in contenders:
        faults = contender.stream.status.faults if contender.stream is not None else {}
        if contender.silent or faults:
            raise RuntimeError(
                f"{contender.title} must answer sound without a fault, its times mean nothing: {faults}"
            )
