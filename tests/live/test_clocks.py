"""Two clocks in simulated time: the microphone's true, the loudspeaker's off, both read unsteadily."""

import threading

import numpy as np
import pytest

from persona_voice.audio.loopback import Loopback
from persona_voice.live import clocks
from persona_voice.live.clocks import Crossing
from persona_voice.live.ring import Samples
from persona_voice.live.session import Session
from tests.live.test_session import BLOCK, HEADROOM_MS, RATE, STEEPEST, Dry, speech

# Of the later calls of a driver, one in so many comes late by up to so much.
UNSTEADY, LATE_S = 3, 0.004


class Clock:
    """What `perf_counter` says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def calls(seconds: float, ppm: float, stalls: tuple[float, float]) -> list[tuple[float, bool]]:
    """When, and whether it is the loudspeaker's: its clock is faster by `ppm`, and once stands still for a while."""
    rng = np.random.default_rng(17)
    every = BLOCK / RATE
    times: list[tuple[float, bool]] = []
    for plays, step, phase in ((False, every, 0.0), (True, every / (1 + ppm * 1e-6), 0.003)):
        due = phase + step * np.arange(1, int(seconds / step))
        if plays:
            due += stalls[1] * (due > stalls[0])
        late = rng.uniform(0, LATE_S, len(due)) * (rng.integers(UNSTEADY, size=len(due)) == 0)
        times += [(float(at), plays) for at in due + late]
    return sorted(times)


def played(
    session: Session,
    clock: Clock,
    microphone: Samples,
    ppm: float,
    stalls: tuple[float, float] = (0.0, 0.0),
) -> Samples:
    parts, heard = [np.zeros(0, np.float32)], 0
    for clock.now, plays in calls(len(microphone) / RATE, ppm, stalls):
        if plays:
            out = np.empty(BLOCK, np.float32)
            session.play(out, False)
            parts.append(out)
            continue
        session.hear(microphone[heard : heard + BLOCK].copy(), False)
        heard += BLOCK
        while session.work():
            pass
    return np.concatenate(parts)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(clocks, "perf_counter", clock)
    return clock


def started() -> Session:
    return Session(Dry(), Loopback(np.zeros(0, np.float32), RATE, BLOCK), HEADROOM_MS)


@pytest.mark.parametrize("ppm", [-300.0, 0.0, 300.0])
def test_a_loudspeaker_of_another_pace_is_followed_without_a_click_or_a_slip(
    clock: Clock, ppm: float
) -> None:
    session = started()
    out = played(session, clock, speech(120.0), ppm)
    assert session.status.faults == {}
    assert session.status.clock_ppm == pytest.approx(ppm, abs=20)
    assert np.abs(np.diff(out[RATE // 2 :])).max() < 1.01 * STEEPEST


def test_a_loudspeaker_that_nobody_follows_slips(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Crossing, "follow", lambda self, ppm: None)
    session = started()
    played(session, clock, speech(120.0), 480.0)
    assert session.status.faults["clock_slip"] >= 1


@pytest.mark.parametrize(
    ("ppm", "stalled_s", "slips"),
    [(-300.0, 0.0, 0), (-200.0, 0.01, 0), (300.0, 0.01, 0), (-300.0, 0.06, 1), (300.0, 0.06, 1)],
)
def test_latency_lasts_though_the_loudspeaker_may_stand_still(
    clock: Clock, ppm: float, stalled_s: float, slips: int
) -> None:
    """Of two noises: the first is heard when the pace is known, the other a minute and a half after it stood still."""
    microphone = np.zeros(140 * RATE, np.float32)
    noises, stalls_at = [40 * RATE, 138 * RATE], 45.0
    for at in noises:
        microphone[at : at + RATE] = 0.1 * np.random.default_rng(at).standard_normal(RATE)
    session = started()
    out = played(session, clock, microphone, ppm, (stalls_at, stalled_s))
    late = []
    for at, stalled in zip(noises, (0.0, stalled_s), strict=True):
        # When it was heard, as the loudspeaker's clock shows it.
        heard = (at / RATE - stalled) * RATE * (1 + ppm * 1e-6)
        part = out[int(heard) :][:8192].astype(np.float64)
        likeness = np.fft.irfft(
            np.fft.rfft(part, 16_384) * np.conj(np.fft.rfft(microphone[at : at + 4096], 16_384))
        )
        late.append(int(np.argmax(likeness)) + int(heard) - heard)
    # A jump goes to a moment that the driver's blocks allow.
    within = BLOCK if slips else 0.0005 * RATE
    assert late[1] == pytest.approx(late[0], abs=within)
    assert session.status.faults.get("clock_slip", 0) == slips
    assert session.status.clock_ppm == pytest.approx(ppm, abs=20)


def test_after_a_jump_what_lasts_is_followed_and_nothing_else(clock: Clock) -> None:
    """Before it a loudspeaker that had stood still for 60 ms was hurried on, as far as that goes."""
    session = started()
    played(session, clock, np.zeros(43 * RATE, np.float32), 300.0, (40.0, 0.06))
    assert session.status.faults["clock_slip"] == 1
    assert session._pace.ppm == pytest.approx(300, abs=30)


def test_the_status_may_be_read_while_a_block_is_played() -> None:
    session = started()
    stop = threading.Event()

    def plays() -> None:
        block = np.zeros(BLOCK, np.float32)
        while not stop.is_set():
            session.hear(block, False)
            session.play(block, False)

    driver = threading.Thread(target=plays)
    driver.start()
    try:
        for _ in range(3000):
            assert session.status.latency_ms > 0
    finally:
        stop.set()
        driver.join()


@pytest.mark.parametrize("ppm", [-500.0, 0.0, 123.0, 500.0])
def test_a_crossing_gives_what_is_wanted_for_what_it_says_that_takes(ppm: float) -> None:
    crossing, rng = Crossing(), np.random.default_rng(3)
    crossing.follow(ppm)
    said, taken, wanted = speech(20.0), 0, 0
    parts = []
    while taken < 18 * RATE:
        out = np.full(int(rng.integers(0, 700)), np.nan, np.float32)
        takes = crossing.takes(len(out))
        crossing.fill(out, said[taken : taken + takes])
        taken, wanted = taken + takes, wanted + len(out)
        parts.append(out)
    out = np.concatenate(parts)
    assert np.isfinite(out).all()
    assert np.abs(np.diff(out[100:])).max() < 1.01 * STEEPEST
    assert wanted / taken - 1 == pytest.approx(ppm * 1e-6, abs=3e-6)
