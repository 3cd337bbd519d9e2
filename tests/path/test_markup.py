"""Tags in a text: followed where they can be, and never spoken."""

from dataclasses import astuple
from math import isfinite, log2

import numpy as np
import pytest

from persona_voice.path.markup import TURN, Mark, Pause, Script, Words, read_script
from persona_voice.persona.limits import within_turn
from persona_voice.persona.mood import MOODS
from persona_voice.persona.state import Manner


def words(script: Script) -> str:
    return "".join(of.text for of in script.parts if isinstance(of, Words))


def manners(text: str) -> dict[str, Manner]:
    script = read_script(text)
    assert script.problems == []
    return {of.text.strip(): of.manner for of in script.parts if isinstance(of, Words)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain, 3 < 4 and 5 > 4, a <3, AT&T", "plain, 3 < 4 and 5 > 4, a <3, AT&T"),
        ("&lt;b&gt; is &quot;bold&quot;", '<b> is "bold"'),
        ("<speak>a<!-- not <b>this</b> -->b<?xml version='1.0'?></speak>", "ab"),
        ('<voice name="x"><lang xml:lang="fr">oui</lang></voice>', "oui"),
        ('<audio src="a.wav"/>a<say-as interpret-as="date">1/2</say-as>', "a1/2"),
        ('<sub alias="World Wide Web">WWW</sub> is old', "World Wide Web is old"),
        ('<expr type="sound" label="laugh"/>ha <expr type="spell">A7 X</expr>', "ha A 7 X"),
    ],
)
def test_tags_are_never_spoken_and_what_they_hold_is(text: str, said: str) -> None:
    script = read_script(text)
    assert (words(script), script.problems) == (said, [])


def test_moods_hold_for_what_they_hold_and_alone_from_there_on() -> None:
    said = manners(
        'a <expr type="expression" label="happy">b</expr> c '
        '<expr type="expression" label="Sad"/>d <expr type="prosody" label="loud">e</expr>'
    )
    assert (said["a"], said["b"], said["c"]) == (Manner(), MOODS["happy"], Manner())
    assert said["d"] == MOODS["sad"]
    assert said["e"].level_db == MOODS["sad"].level_db + 3.0


@pytest.mark.parametrize(
    ("tag", "wanted"),
    [
        ('pitch="+1st"', Manner(register_semitones=1.0)),
        ("pitch='high'", Manner(register_semitones=TURN.register_semitones / 2)),
        ('pitch="-5%" volume="-2dB"', Manner(register_semitones=12 * log2(0.95), level_db=-2.0)),
        ('range="+20%" rate="95%"', Manner(range_octaves=log2(1.2), rate_octaves=log2(0.95))),
        ('rate="x-fast"', Manner(rate_octaves=TURN.rate_octaves)),
        ('rate="+5%"', Manner(rate_octaves=log2(1.05))),
        ("volume=x-soft", Manner(level_db=-TURN.level_db)),
        ('pitch="+9st" volume="+40dB"', Manner(register_semitones=1.5, level_db=3.0)),
    ],
)
def test_prosody_is_a_change_within_a_turn(tag: str, wanted: Manner) -> None:
    assert manners(f"<prosody {tag}>a</prosody>")["a"] == wanted


def test_nested_emphasis_adds_up_to_no_more_than_a_turn() -> None:
    said = manners(
        '<emphasis>a<emphasis level="strong">b<emphasis level="strong">c</emphasis></emphasis></emphasis>'
        '<emphasis level="none">d</emphasis><emphasis level="reduced">e</emphasis>'
    )
    assert 0 < said["a"].level_db < said["b"].level_db <= said["c"].level_db == TURN.level_db
    assert said["d"] == Manner()
    assert said["e"].level_db < 0


def test_breaks_and_marks_stand_where_they_stood() -> None:
    script = read_script(
        'a<break time="250ms"/>b<break strength="strong"/><mark name="m"/>'
        'c<expr type="break" label="1s"/><p>d</p><break time="1h"/><break time="99s"/>'
    )
    pauses = [of.seconds for of in script.parts if isinstance(of, Pause)]
    assert pauses == [0.25, 0.7, 1.0, 0.0, 0.0, 0.4, 10.0]
    assert script.parts.index(Mark("m")) == 4
    assert len(script.problems) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('Hello <expr type="expression" label="happy" you', "Hello you"),
        ("a </emphasis>b", "a b"),
        ("<emphasis>a", "a"),
        ('<emphasis level="strong" !!>a</emphasis>', "a"),
        ('<prosody pitch="lots">a</prosody>', "a"),
        ('<expr type="expression" label="furious">a</expr>', "a"),
        ("<b><i>a</b></i>", "a"),
        ("Hello <!-- you", "Hello you"),
        ('Hello <emphasis level="strong you', "Hello you"),
        ('a <sub alias="World Wide Web">WWW and more', "a WWW and more"),
        ('<emphasis level="loads">a</emphasis>', "a"),
        ('<expr type="prosody" label="backwards">a</expr>', "a"),
        ('a<break strength="huge"/>', "a"),
        (f'<prosody pitch="+{"9" * 400}st"><prosody pitch="-{"9" * 400}st">a', "a"),
    ],
)
def test_what_is_malformed_is_told_and_the_words_are_said(text: str, said: str) -> None:
    script = read_script(text)
    assert words(script).split() == said.split()
    assert script.problems


def test_a_break_of_no_strength_is_none_and_the_sentence_goes_on() -> None:
    script = read_script('a <break strength="none"/>b<expr type="break" label="0ms"/>')
    assert [of for of in script.parts if isinstance(of, Pause)] == [Pause(0.0)]


def test_an_apostrophe_at_the_end_of_a_value_is_part_of_it() -> None:
    assert words(read_script("""<sub alias="the boys'">x</sub>""")) == "the boys'"


def test_no_text_whatever_breaks_the_reader_or_leaves_a_turn() -> None:
    rng = np.random.default_rng(5)
    bits = [
        "<",
        ">",
        "/",
        "=",
        '"',
        "'",
        "&",
        ";",
        "!--",
        "-->",
        "expr",
        "prosody",
        " pitch",
        "+9%",
        "-100%",
        "emphasis",
        "break",
        "time",
        "9e9",
        "a",
        " ",
        "\n",
        ".",
        "sub",
        "alias",
        "é",
        "st",
    ]
    for _ in range(2000):
        text = "".join(rng.choice(bits, 30))
        for of in read_script(text).parts:
            if isinstance(of, Words):
                assert within_turn(of.manner) == of.manner
                assert all(map(isfinite, astuple(of.manner)))
