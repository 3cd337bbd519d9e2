"""A consent says who, for what, when, and what they have recorded; anything less is none."""

import datetime as dt
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from persona_voice.errors import ConsentError
from persona_voice.persona.consent import LAST_WORDS, WORDS, asked_of, consent_text, read_consent

DAY = dt.date(2026, 11, 30)
ASKED = asked_of('Ada "Countess" Lovelace', "reading letters aloud", DAY)


def test_what_is_asked_for_names_all_of_it_and_ends_in_words_drawn_by_lot() -> None:
    assert ASKED.who in ASKED.phrase
    assert ASKED.scope in ASKED.phrase
    assert "November 30, 2026" in ASKED.phrase
    last = ASKED.phrase.lower().rstrip(".").split()[-LAST_WORDS:]
    assert set(last) <= set(WORDS)
    assert len({asked_of(ASKED.who, ASKED.scope, DAY).phrase for _ in range(5)}) == 5


@pytest.mark.parametrize(
    "who", [ASKED.who, "Zoë 🎭", "back\\slash and\ttab", "deleted\x7f, line\nby line"]
)
def test_it_is_read_as_it_was_written(tmp_path: Path, who: str) -> None:
    file = tmp_path / "consent.toml"
    asked = replace(ASKED, who=who, phrase=ASKED.phrase.replace(ASKED.who, who))
    file.write_text(consent_text(asked), encoding="utf-8")
    assert read_consent(file) == asked


def test_the_language_may_be_left_out_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "consent.toml"
    lines = consent_text(ASKED).splitlines(keepends=True)
    for line in lines:
        file.write_text("".join(other for other in lines if other != line), encoding="utf-8")
        if line.startswith("language"):
            assert read_consent(file) == ASKED
            continue
        with pytest.raises(ConsentError, match="missing or unknown: " + line.split()[0]) as caught:
            read_consent(file)
        assert caught.value.code == "bad_consent"
    file.write_text("".join(lines) + "more = 1\n", encoding="utf-8")
    with pytest.raises(ConsentError, match="missing or unknown: more"):
        read_consent(file)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"who": " "}, "who must be text"),
        ({"scope": 3}, "scope must be text"),
        ({"date": "2026-11-30"}, "date must be a day"),
        ({"date": dt.datetime(2026, 11, 30)}, "date must be a day"),
        ({"date": dt.date(9000, 1, 1)}, "still to come"),
        ({"phrase": "I agree."}, "8 words or more"),
        ({"phrase": "I agree that a voice is modelled on recordings"}, "hold the name Ada"),
    ],
)
def test_what_is_no_consent_is_refused(changed: dict[str, object], what: str) -> None:
    with pytest.raises(ConsentError, match=what):
        replace(ASKED, **changed)  # type: ignore[arg-type]  # what is refused is of other types
    assert asdict(ASKED)["date"] == DAY


def test_what_is_asked_is_on_one_line() -> None:
    with pytest.raises(ConsentError, match="scope must be text on one line"):
        asked_of("Ada", "letters\nand more", DAY)


def test_no_file_is_no_consent_and_another_file_a_bad_one(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none.toml", "no_consent"), (tmp_path, "no_consent")):
        with pytest.raises(ConsentError) as caught:
            read_consent(path)
        assert caught.value.code == code
    (tmp_path / "other.toml").write_bytes(b"\xff\xfe no")
    with pytest.raises(ConsentError, match="readable TOML") as caught:
        read_consent(tmp_path / "other.toml")
    assert caught.value.code == "bad_consent"
