from collections.abc import Iterator

import numpy as np
import pytest

from persona_voice.converter import Identity
from persona_voice.path.offline import convert_array
from persona_voice.path.speaking import Samples, sentences, spoken
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import load_persona

RATE = 24_000


class Teller:
    """A source that notes what it was asked and how much it has handed over."""

    sample_rate = RATE

    def __init__(self, block: int) -> None:
        self.block, self.asked, self.given = block, list[str](), 0

    def speak(self, text: str) -> Iterator[Samples]:
        self.asked.append(text)
        voice = np.random.default_rng(len(text)).normal(0, 0.1, RATE).astype(np.float32)
        for at in range(0, RATE, self.block):
            self.given += 1
            yield voice[at : at + self.block]


def stream() -> VoiceStream:
    return VoiceStream(Identity(), load_persona(), RATE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Mr. Dashwood met J. F. Kennedy. Then he left.", 2),
        ("It is 3.5 m long, e.g. here... and there.", 1),
        ('"Who?" he asked. (Nobody.) Yes.', ['"Who?" he asked.', "(Nobody.)", "Yes."]),
        ("Title\n\nA line\nand another", ["Title", "A line and another"]),
        ("这是。那是！", ["这是。", "那是！"]),
        ("So did I. And you.", 2),
        (" ... !? ", []),
        ("", []),
    ],
)
def test_a_text_is_cut_after_its_sentences(text: str, expected: list[str] | int) -> None:
    got = sentences(text)
    assert (len(got) if isinstance(expected, int) else got) == expected


def test_nothing_said_gets_lost_in_the_cutting() -> None:
    text = 'He said: "No. 5 is alive!" Really? Dr. Who... maybe; i.e. not (yet). The end'
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


def test_sound_comes_before_the_source_has_finished_its_sentence() -> None:
    teller = Teller(block=960)
    heard = next(block for block in spoken(teller, stream(), "One. Two.") if block.any())
    assert len(heard)
    assert teller.given < 5
    assert teller.asked == ["One."]


@pytest.mark.parametrize("block", [7, 960, RATE])
def test_it_is_the_converted_source_whole_and_in_time(block: int) -> None:
    teller = Teller(block)
    got = np.concatenate(list(spoken(teller, stream(), "One. Number two.")))
    said = np.concatenate([*Teller(RATE).speak("One."), *Teller(RATE).speak("Number two.")])
    expected = convert_array(stream(), said)
    assert teller.asked == ["One.", "Number two."]
    assert len(got) == len(said)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert np.abs(got[1:] - expected[:-1]).max() > 1e-2


def test_a_sentence_handed_over_at_once_is_heard_in_pieces() -> None:
    blocks = list(spoken(Teller(RATE), stream(), "One."))
    assert max(map(len, blocks)) <= RATE // 10
