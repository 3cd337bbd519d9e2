"""Voices from words: the signs that the words have, always within the box, and the same each time."""

import random

import pytest

from persona_voice.errors import SettingError
from persona_voice.persona.design import (
    DEGREES,
    FILLERS,
    WORDS,
    candidates,
    described,
    design,
    voice_of_her_own,
)
from persona_voice.persona.naming import NAMES, checked_name, name_of_her_own
from persona_voice.persona.voice import DESIGN, VOICE, Voice, apart


def test_the_example_of_the_manual_is_what_it_says() -> None:
    voice = design("warm, low, a little husky, in her thirties")
    assert voice.register_semitones < -2
    assert voice.breath_db > 1
    assert voice.tilt_db < -0.3
    assert voice.tract_octaves > 0


@pytest.mark.parametrize(
    ("less", "more", "value", "sign"),
    [
        ("slightly low", "very low", "register_semitones", -1),
        ("a bit bright", "brighter, extremely bright", "tilt_db", 1),
        ("breathy", "very breathy", "breath_db", 1),
        ("small", "very small", "tract_octaves", -1),
        ("not high", "low", "register_semitones", -1),
        ("smallish", "smallest", "tract_octaves", -1),
        ("in her twenties", "in her early sixties", "register_semitones", -1),
        ("25 years old", "seventy five", "register_semitones", -1),
    ],
)
def test_degrees_and_comparatives_say_how_much(less: str, more: str, value: str, sign: int) -> None:
    one, other = (sign * getattr(design(words), value) for words in (less, more))
    assert other > one
    assert other > 0


def test_words_against_each_other_take_each_other_back() -> None:
    assert design("high, low") == Voice()
    assert (
        described("not too low").voice.register_semitones
        < 0
        < described("not low").voice.register_semitones
    )


def test_whatever_is_said_it_stays_in_the_box_and_is_the_same_each_time() -> None:
    rng = random.Random(1)
    for _ in range(300):
        words = " ".join(
            rng.choice([*DEGREES]) + " " + rng.choice([*WORDS]) + rng.choice([",", "", " and"])
            for _ in range(rng.randint(1, 8))
        )
        voice = described(words).voice
        assert voice == described(words).voice
        assert all(abs(getattr(voice, name)) <= most for name, most in DESIGN.items())


def test_unknown_words_are_told_and_nothing_known_is_refused() -> None:
    with pytest.warns(UserWarning, match="not known of a voice: 7 years old, purple"):
        design("a purple, low voice, 7 years old")
    with pytest.raises(SettingError) as caught:
        design("purple")
    assert caught.value.code == "unknown_words"
    assert not set(WORDS) & FILLERS


def test_a_voice_of_her_own_is_her_seed_s_and_moderate() -> None:
    voices = [voice_of_her_own(seed) for seed in range(200)]
    assert len(set(voices)) == 200
    assert voices == [voice_of_her_own(seed) for seed in range(200)]
    for name in VOICE:
        values = [getattr(voice, name) / DESIGN[name] for voice in voices]
        assert max(map(abs, values)) <= 0.51
        assert min(values) < -0.3 < 0.3 < max(values)


def test_candidates_lie_near_and_the_first_is_the_voice_itself() -> None:
    voice = design("warm and low")
    five, three = candidates(voice, 7, 5), candidates(voice, 7, 3)
    assert five[0] == voice
    assert five[:3] == three
    assert len(set(five)) == 5
    assert all(0 < apart(voice, other) <= 0.51 for other in five[1:])


def test_she_names_herself_the_same_from_a_seed_and_never_as_another() -> None:
    names = {name_of_her_own(seed) for seed in range(500)}
    assert len(names) > 0.9 * len(NAMES)
    first = name_of_her_own(1)
    assert name_of_her_own(1) == first
    assert name_of_her_own(1, [first.upper()]) != first
    assert name_of_her_own(1, NAMES).endswith(" 2")
    assert len({name.casefold() for name in NAMES}) == len(NAMES)
    assert [checked_name(name) for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("name", ["", " ", "7 of 9", "a" * 41, "x\x1b[31m", "a/b", "a\nb:c"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SettingError) as caught:
        checked_name(name)
    assert caught.value.code == "bad_name"
