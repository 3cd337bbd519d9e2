"""The bench's measures, on scores whose figures are known."""

import numpy as np

from benches.vad import far, onsets_ms, releases_ms, spread, stretches
from benches.vad_peers import Detector
from benches.vad_set import HOP, RATE, coloured, keys, music, whole_numbers

SPEECH = np.zeros(400, bool)
SPEECH[100:200] = SPEECH[215:300] = True


def test_only_what_follows_a_pause_is_a_beginning() -> None:
    assert stretches(SPEECH) == [(100, 200)]
    assert far(SPEECH)[:70].all()
    assert not far(SPEECH)[70:330].any()
    assert far(SPEECH)[330:].all()


def test_onset_and_release_are_counted_to_the_end_of_a_frame() -> None:
    scores = np.zeros(400, np.float32)
    scores[103:205] = 0.9
    assert onsets_ms(scores, SPEECH, 0.5).tolist() == [40.0]
    assert releases_ms(scores, SPEECH, 0.5).tolist() == [60.0]
    assert onsets_ms(scores, SPEECH, 0.95).tolist() == [np.inf]
    scores[100:199] = 0.9
    scores[199:] = 0.0
    assert onsets_ms(scores, SPEECH, 0.5).tolist() == [10.0]
    assert releases_ms(scores, SPEECH, 0.5).tolist() == [0.0]


def test_what_was_never_found_is_the_latest_of_all() -> None:
    times = np.array([10.0, 20.0, 30.0, np.inf])
    assert spread(times) == {"median": 30.0, "p90": None, "found": 0.75}


def test_a_score_counts_from_the_end_of_its_block_on() -> None:
    def start():  # type: ignore[no-untyped-def]
        heard = iter(range(1, 100))
        return lambda block: next(heard)

    detector = Detector("of 16 ms", "1", 256, start, start)
    said = detector.scores(np.zeros(8 * HOP, np.float32))
    # Blocks end at 256, 512, 768, 1024 and 1280 samples, frames at each 160.
    assert said.tolist() == [0, 1, 1, 2, 3, 3, 4, 5]


def test_noises_have_unit_power_and_follow_from_the_seed() -> None:
    for make in (
        lambda rng: coloured(rng, RATE, 0.5),
        lambda rng: keys(rng, RATE),
        lambda rng: music(rng, [], RATE),
    ):
        one, other = (make(np.random.default_rng(4)) for _ in "ab")
        np.testing.assert_array_equal(one, other)
        assert len(one) == RATE
        assert abs(float((one**2).mean()) - 1) < 1e-3


def test_samples_are_whole_16_bit_numbers() -> None:
    made = whole_numbers(np.array([-2.0, 0.1, 1.0])) * 32768
    assert made.tolist() == [-32768.0, 3277.0, 32767.0]
