"""Sound between two threads: a ring on an absolute clock, and seams without clicks."""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

# Long enough not to click, short enough not to swallow a plosive.
SEAM_MS = 5


class Ring:
    """The newest ``size`` samples of one stream, each at its place in time; one writes, one reads.

        position   0 ......... begin ............... end
        held                   [ ... size at most ... )

    Position ``p`` lies at ``p % size`` until ``p + size`` overwrites it: when full, the oldest
    goes. Neither side waits for the other or takes a lock. The writer announces what it is about
    to overwrite, so that a reader who is overtaken learns of it.
    """

    def __init__(self, size: int) -> None:
        self._samples = np.zeros(size, np.float32)
        self._announced = 0
        self.end = 0

    @property
    def begin(self) -> int:
        """The oldest position still held."""
        return max(0, self._announced - len(self._samples))

    def write(self, at: int, block: Samples) -> None:
        """Puts `block`, no longer than the ring, at `at`, not before `end`; a gap is silence."""
        until = at + len(block)
        self._announced = until
        gap = min(at - self.end, len(self._samples) - len(block))
        if gap > 0:
            self._copy(at - gap, np.zeros(gap, np.float32), into_ring=True)
        self._copy(at, block, into_ring=True)
        self.end = until

    def read(self, at: int, block: Samples) -> bool:
        """Fills `block`, no longer than the ring, from `at`; False unless all of it was held."""
        whole = self.begin <= at and at + len(block) <= self.end
        self._copy(at, block, into_ring=False)
        return whole and self.begin <= at

    def _copy(self, at: int, block: Samples, *, into_ring: bool) -> None:
        place = at % len(self._samples)
        first = min(len(block), len(self._samples) - place)
        pieces = (
            (self._samples[place : place + first], block[:first]),
            (self._samples[: len(block) - first], block[first:]),
        )
        for in_ring, outside in pieces:
            if into_ring:
                in_ring[:] = outside
            else:
                outside[:] = in_ring


class Seam:
    """Joins sound and gaps: falls from the last sample to silence, rises again, in 5 ms each."""

    def __init__(self, sample_rate: int) -> None:
        length = max(1, sample_rate * SEAM_MS // 1000)
        phase = (np.arange(length) + 1) / (length + 1)
        self._rise = (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)
        self._fall = np.float32(1) - self._rise
        self._risen = 0
        self._fallen = length
        self._from = np.float32(0)
        self._last = np.float32(0)

    def join(self, block: Samples, good: int) -> None:
        """Mends `block` in place, of which the first `good` samples are sound."""
        if good:
            self._enter(block[:good])
            self._last = block[good - 1]
        if good < len(block):
            self._leave(block[good:], sounded=good > 0)

    def _enter(self, sound: Samples) -> None:
        n = min(len(sound), len(self._rise) - self._risen)
        sound[:n] *= self._rise[self._risen : self._risen + n]
        self._risen += n
        self._add_fall(sound)

    def _leave(self, gap: Samples, *, sounded: bool) -> None:
        gap[:] = 0
        if self._risen or sounded:
            self._from, self._fallen, self._risen = self._last, 0, 0
        self._add_fall(gap)

    def _add_fall(self, block: Samples) -> None:
        n = min(len(block), len(self._fall) - self._fallen)
        block[:n] += self._from * self._fall[self._fallen : self._fallen + n]
        self._fallen += n
