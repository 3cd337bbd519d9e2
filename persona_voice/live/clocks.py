"""Two clocks: whether they have parted, by how much one is faster, and sound taken from one to the other."""

from statistics import median_high
from time import perf_counter

import numpy as np

from persona_voice._core import Drift
from persona_voice.live.ring import Samples

# At first a driver fills its buffers all at once; by the end of this it has.
START_MS = 200
# Later the clocks have parted when, in the second half of this, what was heard never came nearer than
# the other to when it was due: a driver calls in bursts, and only their best moment tells.
WATCH_MS = 2_000
SLIP_MS = 30
# Of how far the loudspeaker is from its place, what is made good by the next time it is measured, and what of it
# is taken for a difference that lasts. So 300 ppm are known to 10 within half a minute, and cost 1.2 ms until then.
AT_ONCE, LASTING = 0.5, 0.1
# What `Drift` can follow, in parts per million.
MOST_PPM = 500.0


class Watch:
    """Sees from a moment of the microphone's clock on how far it leads the other; each is read now early, now late."""

    def __init__(self, sample_rate: int, heard: int) -> None:
        self._span = sample_rate * START_MS // 1000
        self._next_span = sample_rate * WATCH_MS // 1000
        self._slip = 0
        self._next_slip = sample_rate * SLIP_MS // 1000
        self._since, self._played = heard, 0
        self._leads: list[int] = []
        self.started = False

    def parted(self, heard: int, count: int, lead: int) -> int:
        """Samples to put right, now that `heard` leads by `lead` and `count` more are played; negative where it is behind.

        After `START_MS` whatever it leads by since half that time; later, once every `WATCH_MS`, only
        if that is more than `SLIP_MS`. That long on both clocks: either may come in a burst.
        """
        self._leads.append(lead)
        self._played += count
        if min(heard - self._since, self._played) < self._span:
            return 0
        leads = self._leads[len(self._leads) // 2 :]
        parted = min(leads) > self._slip or max(leads) < -self._slip
        self._leads, self._since, self._played = [], heard, 0
        self._span, self._slip, self.started = self._next_span, self._next_slip, True
        return median_high(leads) if parted else 0


class Pace:
    """Measures by how much the loudspeaker's clock is faster than the microphone's.

    What a clock shows beyond the system's time, in the mean of all calls of `WATCH_MS`, says where it stands to
    a fraction of a block, however unsteady the calls are. How far the two are apart shall stay what it was in the
    first such span: a proportional-integral control says at what pace. ``lasting`` is what the clocks differ by,
    ``ppm`` what takes the loudspeaker to its place, too.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._span = sample_rate * WATCH_MS // 1000
        self._begun = perf_counter()
        # Of all calls so far: the sum of what the clock showed beyond the system's time, and their number. Each
        # is moved by one thread alone.
        self._heard, self._played = (0.0, 0), (0.0, 0)
        self.lasting = self.ppm = 0.0
        self.restart(0)

    def restart(self, played: int) -> None:
        """The loudspeaker is where it shall stay, and the next span tells where that is. What lasts stays known."""
        self.ppm = within(self.lasting)
        self._from, self._since = played, (self._heard, self._played)
        self._place: float | None = None

    def heard(self, until: int) -> None:
        self._heard = self._with(self._heard, until)

    def played(self, until: int) -> bool:
        """Whether `ppm`, at which it is to be followed now, is another than before."""
        self._played = self._with(self._played, until)
        ends = self._heard, self._played
        if until - self._from < self._span or ends[0][1] == self._since[0][1]:
            return False
        heard, played = (
            (end[0] - begin[0]) / (end[1] - begin[1])
            for end, begin in zip(ends, self._since, strict=True)
        )
        self._from, self._since = until, ends
        if self._place is None:
            self._place = heard - played
            return False
        behind = 1e6 * (heard - played - self._place) / self._span  # in ppm of a span
        lasting = self.lasting - LASTING * behind
        wanted = lasting - AT_ONCE * behind
        self.ppm = within(wanted)
        if self.ppm == wanted:  # at the limit nothing can be told of what lasts
            self.lasting = lasting
        return True

    def _with(self, so_far: tuple[float, int], until: int) -> tuple[float, int]:
        beyond = until - self._rate * (perf_counter() - self._begun)
        return so_far[0] + beyond, so_far[1] + 1


def within(ppm: float) -> float:
    return min(max(ppm, -MOST_PPM), MOST_PPM)


class Crossing:
    """Sound from the microphone's clock to the loudspeaker's: as much as is wanted from as much as that takes."""

    def __init__(self) -> None:
        self._drift = Drift()
        self.latency = self._drift.latency
        self._over = np.zeros(0, np.float32)

    def follow(self, ppm: float) -> None:
        self._drift.set_ppm(ppm)

    def takes(self, count: int) -> int:
        """How many samples `fill` needs for `count`, unless `follow` comes between."""
        due = count - len(self._over)
        needed = max(due, 0)
        while self._drift.output_len(needed) < due:
            needed += 1
        while needed and self._drift.output_len(needed - 1) >= due:
            needed -= 1
        return needed

    def fill(self, out: Samples, given: Samples) -> None:
        """From as many samples as that takes."""
        made = np.concatenate([self._over, self._drift.process(given)])
        out[:], self._over = made[: len(out)], made[len(out) :]
