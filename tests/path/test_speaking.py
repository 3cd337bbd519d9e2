from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from persona_voice.converter import Identity
from persona_voice.path.markup import read_script
from persona_voice.path.offline import convert_array
from persona_voice.path.speaking import Samples, Saying, sentences, spoken
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.mood import MOODS
from persona_voice.persona.persona import load_persona
from persona_voice.persona.state import BIRTH, Manner

RATE = 24_000


class Teller:
    """A source that notes what it was asked and how much it has handed over."""

    sample_rate = RATE

    def __init__(self, block: int) -> None:
        self.block, self.asked, self.given = block, list[str](), 0
        self.rates: list[float] = []

    def speak(self, text: str, rate: float = 1.0) -> Iterator[Samples]:
        self.asked.append(text)
        self.rates.append(rate)
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


class Watched(VoiceStream):
    """Notes what it was told to express, and at which sample of its input."""

    def __init__(self, manner: Manner) -> None:
        super().__init__(Identity(), load_persona(), RATE, manner)
        self.heard, self.told = 0, list[tuple[int, Manner]]()

    def process(self, block: Samples) -> Samples:
        self.heard += len(block)
        return super().process(block)

    def express(self, mood: str | Manner, *_: object, **__: object) -> None:
        assert isinstance(mood, Manner)
        self.told.append((self.heard, mood))
        super().express(mood, half_life_s=None)


class Loud(Teller):
    """Half a second of silence, a second of noise, half a second of silence."""

    def speak(self, text: str, rate: float = 1.0) -> Iterator[Samples]:
        silence = np.zeros(RATE // 2, np.float32)
        yield from (silence, *super().speak(text, rate), silence)


def said(text: str, manner: Manner = BIRTH) -> tuple[Watched, Loud, Saying, Samples]:
    stream, teller, saying = Watched(manner), Loud(block=960), Saying(read_script(text))
    return stream, teller, saying, np.concatenate(list(spoken(teller, stream, saying)))


def test_text_without_tags_leaves_the_streams_mood_alone() -> None:
    stream, teller, _, out = said("One. Two.")
    assert (stream.told, teller.asked, len(out)) == ([], ["One.", "Two."], 4 * RATE)


def test_a_mood_begins_with_its_sentence_and_ends_with_it() -> None:
    stream, teller, _, _ = said('One. <expr type="expression" label="sad">Two.</expr> Three.')
    assert teller.asked == ["One.", "Two.", "Three."]
    assert stream.told == [(2 * RATE, MOODS["sad"]), (4 * RATE, Manner())]
    assert np.round(teller.rates, 3).tolist() == [1.0, 0.93, 1.0]


def test_what_a_text_asks_for_stays_within_a_turn_with_how_she_has_grown() -> None:
    grown = Manner(register_semitones=-1.0, rate_octaves=-0.1)
    stream, teller, _, _ = said('<expr type="expression" label="sad">One.</expr>', grown)
    ((at, told),) = stream.told
    assert at == 0
    assert replace(told, rate_octaves=0.0) == replace(
        MOODS["sad"], register_semitones=-0.5, rate_octaves=0.0
    )
    assert np.round(teller.rates, 3).tolist() == [0.9]
    assert said("One.", grown)[1].rates == [2**-0.1]


def test_an_emphasis_lies_on_its_words_and_the_sentence_stays_one() -> None:
    stream, teller, _, out = said("Four of <emphasis>ten let</emphasis>ters. End.")
    assert teller.asked == ["Four of ten letters.", "End."]
    assert len(out) == 4 * RATE
    (on, stressed), (off, rest) = stream.told
    assert abs(on - (RATE // 2 + RATE * 6 / 16)) < 0.02 * RATE
    assert abs(off - (RATE // 2 + RATE * 12 / 16)) < 0.02 * RATE
    assert stressed.level_db > 0
    assert rest == Manner()


def test_a_break_is_silence_and_ends_a_sentence() -> None:
    _, teller, _, out = said('One <break time="300ms"/> two.')
    assert teller.asked == ["One", "two."]
    assert len(out) == round(4.3 * RATE)


def test_marks_are_found_when_their_words_come() -> None:
    _, teller, saying, _ = said(
        '<mark name="a"/>Ab<mark name="b"/>cd. <mark name="c"/>Ef.<break time="1s"/><mark name="d"/>'
    )
    assert teller.asked == ["Abcd.", "Ef."]
    at = {name: round(samples / RATE, 1) for name, samples in saying.marks}
    assert at == {"a": 0.5, "b": 1.0, "c": 2.5, "d": 5.0}
