"""A whole sound either comes out whole, or as an error: never as silence that looks like a file."""

import numpy as np
import pytest

from persona_voice.converter import Frames, Identity
from persona_voice.errors import WeightsError
from persona_voice.path.offline import convert_array
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import load_persona

RATE = 24_000


class FailsAt(Identity):
    """Gives infinity from that hop on."""

    def __init__(self, hop: int) -> None:
        self.hop = hop

    def step(self, state: Frames, frames: Frames) -> tuple[Frames, Frames]:
        self.hop -= len(frames)
        state, envelopes = super().step(state, frames)
        return state, envelopes if self.hop > 0 else np.full_like(envelopes, np.inf)


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


# The last of them only in what the latency holds back.
@pytest.mark.parametrize(("hop", "seconds"), [(1, 0.5), (150, 2.0), (52, 0.5)])
def test_a_converter_that_fails_is_an_error(hop: int, seconds: float) -> None:
    stream = VoiceStream(FailsAt(hop), load_persona(), RATE)
    with pytest.raises(WeightsError, match=f"within the first {seconds:.2f} s") as caught:
        convert_array(stream, noise(seconds))
    assert caught.value.code == "converter_failed"


def test_the_stream_is_as_new_after_an_error() -> None:
    converter = FailsAt(1)
    stream = VoiceStream(converter, load_persona(), RATE)
    with pytest.raises(WeightsError):
        convert_array(stream, noise(0.5))
    converter.hop = 10_000
    expected = convert_array(VoiceStream(Identity(), load_persona(), RATE), noise(0.5))
    assert np.array_equal(convert_array(stream, noise(0.5)), expected)


def test_faults_that_do_not_silence_the_rest_are_no_error() -> None:
    samples = noise(0.5)
    samples[100] = np.nan
    stream = VoiceStream(Identity(), load_persona(), RATE)
    assert np.isfinite(convert_array(stream, samples)).all()
