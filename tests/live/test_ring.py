import itertools

import numpy as np
import pytest

from persona_voice.live.ring import Ring, Samples, Seam

RATE = 48_000


def ramp(start: int, count: int) -> Samples:
    return np.arange(start, start + count, dtype=np.float32)


def dirty(count: int) -> Samples:
    return np.full(count, np.nan, np.float32)


@pytest.mark.parametrize("block", [1, 3, 7, 10])
def test_what_was_written_is_read_at_its_place(block: int) -> None:
    ring = Ring(10)
    for at in range(0, 20 * block, block):
        ring.write(at, ramp(at, block))
        out = dirty(block)
        assert ring.read(at, out)
        np.testing.assert_array_equal(out, ramp(at, block))


def test_when_full_the_oldest_goes_and_the_reader_learns_it() -> None:
    ring = Ring(10)
    for at in range(0, 16, 4):
        ring.write(at, ramp(at, 4))
    assert (ring.begin, ring.end) == (6, 16)
    assert not ring.read(5, dirty(4))
    out = dirty(10)
    assert ring.read(6, out)
    np.testing.assert_array_equal(out, ramp(6, 10))


def test_what_is_not_yet_written_is_not_read() -> None:
    ring = Ring(10)
    ring.write(0, ramp(0, 4))
    assert ring.read(0, dirty(4))
    assert not ring.read(1, dirty(4))


@pytest.mark.parametrize("gap", [1, 5, 9, 10, 37])
def test_a_gap_is_silence(gap: int) -> None:
    ring = Ring(10)
    ring.write(0, ramp(1, 10))
    ring.write(10 + gap, ramp(90, 4))
    out = dirty(10)
    assert ring.read(4 + gap, out)
    silent = min(gap, 6)
    np.testing.assert_array_equal(out[6 - silent :], [*[0] * silent, 90, 91, 92, 93])


class Overtaking(Ring):
    """A writer laps the reader in the middle of its copy."""

    overtake = False

    def _copy(self, at: int, block: Samples, *, into_ring: bool) -> None:
        super()._copy(at, block, into_ring=into_ring)
        if self.overtake:
            self.overtake = False
            self.write(self.end, ramp(self.end, 1))


def test_a_reader_that_is_overtaken_learns_it() -> None:
    ring = Overtaking(4)
    ring.write(0, ramp(0, 4))
    ring.overtake = True
    assert not ring.read(0, dirty(4))


def steepest(samples: Samples) -> float:
    return float(np.abs(np.diff(samples, prepend=np.float32(0))).max())


@pytest.mark.parametrize("cuts", [[5], [100, 101], [100, 400], [100, 400, 700], [0, 300]])
@pytest.mark.parametrize("block", [1, 50, 480])
def test_seams_do_not_click(cuts: list[int], block: int) -> None:
    """A constant, with gaps that begin and end at the cuts; without the seam it jumps by 1."""
    total = 2_400
    sound = np.ones(total, bool)
    for cut in cuts:
        sound[cut:] = ~sound[cut:]
    seam, out = Seam(RATE), np.ones(total, np.float32)
    out[~sound] = np.nan
    edges = sorted({*range(0, total, block), *cuts, total})
    for start, end in itertools.pairwise(edges):
        seam.join(out[start:end], end - start if sound[start] else 0)
    assert np.isfinite(out).all()
    assert steepest(out) < 0.02
    assert steepest(sound.astype(np.float32)) == 1.0


def test_a_seam_lets_sound_pass_unchanged_once_open() -> None:
    rng = np.random.default_rng(1)
    sound = rng.standard_normal(4_800).astype(np.float32)
    out = sound.copy()
    Seam(RATE).join(out, len(out))
    np.testing.assert_array_equal(out[240:], sound[240:])


def test_a_seam_does_not_depend_on_the_cut_of_the_gap() -> None:
    whole, halves = Seam(RATE), Seam(RATE)
    one, other = np.ones(960, np.float32), np.ones(960, np.float32)
    whole.join(one, 480)
    halves.join(other[:480], 480)
    halves.join(other[480:600], 0)
    halves.join(other[600:], 0)
    np.testing.assert_array_equal(one, other)
    assert one[-1] == 0
