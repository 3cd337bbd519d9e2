"""The measures of the bench: each on what is known, and where it must not pass."""

import numpy as np
import pytest

from benches import resample
from benches.resampling import OURS, Peer, scipy_poly, speexdsp

RATES = (48_000, 16_000)


class Late:
    """Every third sample, seven of them late, in blocks of 1600 at least."""

    def __init__(self, kept: int) -> None:
        self.line, self.kept = np.zeros(21, np.float32), kept
        self.waiting = np.zeros(0, np.float32)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        self.line = np.concatenate([self.line, block])
        out = self.line[: len(block) : 3]
        self.line = self.line[len(block) :]
        self.waiting = np.concatenate([self.waiting, out])
        given = len(self.waiting) // self.kept * self.kept
        out, self.waiting = self.waiting[:given], self.waiting[given:]
        return out


@pytest.mark.parametrize(("kept", "late_ms"), [(1, 0.0), (320, 10.0), (480, 20.0)])
def test_a_delay_is_what_is_late_and_what_is_kept_back(kept: int, late_ms: float) -> None:
    assert resample.delay_ms(Late(kept), RATES, 10) == pytest.approx(7 / 16 + late_ms, abs=0.03)


def test_ours_is_as_late_as_it_says_in_every_block() -> None:
    for peer, late_ms in zip(OURS, (25 / 16, 2.36 / 16), strict=True):
        for block_ms in resample.DELAY_BLOCKS_MS:
            got = resample.delay_ms(peer.make(*RATES), RATES, block_ms)
            assert got == pytest.approx(late_ms, abs=0.01)


def test_a_tone_is_parted_from_the_rest() -> None:
    tone = resample.tone(997, 16_000, 1.0, 0.5).astype(np.float64)
    beside = 0.5e-4 * np.cos(np.arange(len(tone)) * 2.1)
    gain, rest_db = resample.parted(tone + beside, 997, 16_000)
    assert gain == pytest.approx(0.5, abs=1e-4)
    assert rest_db == pytest.approx(-80, abs=0.1)


def test_what_does_not_pass_a_tone_is_not_timed() -> None:
    with pytest.raises(RuntimeError, match="deaf must pass tones"):
        resample.cleanness(Peer("deaf", lambda a, b: lambda x: 0 * x[:: a // b]), RATES)


def test_peers_hear_what_they_are_given() -> None:
    for peer in (*OURS, Peer("scipy", scipy_poly, whole=True)):
        assert resample.cleanness(peer, RATES)["ripple_db"] < 0.1
    try:
        made = speexdsp(5)
    except ImportError as error:
        pytest.skip(str(error))
    assert resample.cleanness(Peer("speexdsp", made), RATES)["alias_db"] < -100


def test_no_filter_is_earlier_than_the_limits() -> None:
    least = resample.limits(RATES, -105, -91)
    assert 1.3 < least["linear_ms"] < 25 / 16
    assert 0.1 < least["causal_ms"] < 2.36 / 16
