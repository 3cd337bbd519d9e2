"""What is kept of a listener: with their leave, for a while, as a few numbers; and what it is for."""

import json
import sqlite3
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from persona_voice.errors import SettingError, StoreError
from persona_voice.persona import store
from persona_voice.persona.entrain import TO_STRANGERS, Leaning, acquaintance, towards
from persona_voice.persona.event import Event, Kind, happened
from persona_voice.persona.limits import BUDGETS
from persona_voice.persona.mood import MOODS, times
from persona_voice.persona.persona_file import export_persona
from persona_voice.persona.state import MANNER, Manner
from persona_voice.persona.store import Store

NOW_S = 1.7e9
LEANING = Leaning(Manner(register_semitones=0.3, level_db=-0.5), 91.5, 60.0, -20.0, 55.0, 3_600.0)


def test_what_is_kept_is_given_back_until_it_expires(where: str) -> None:
    with Store(where) as kept:
        assert kept.leaning("iris", "ann", NOW_S) is None
        assert kept.keep_leaning("iris", "ann", LEANING, NOW_S, for_s=100)
        later = replace(LEANING, talked_s=7.0)
        assert kept.keep_leaning("iris", "ann", later, NOW_S + 1, for_s=100)
    with Store(where, create=False) as kept:
        assert kept.leaning("iris", "ann", NOW_S + 100) == later
        assert kept.leaning("iris", "bob", NOW_S) is None
        assert kept.leaning("ada", "ann", NOW_S) is None
        assert kept.leaning("iris", "ann", NOW_S + 102) is None
        # Whoever is kept next, the expired one is gone from the disk.
        kept.keep_leaning("iris", "bob", LEANING, NOW_S + 200)
        assert kept.leaning("iris", "ann", NOW_S) is None


def test_to_forget_erases_it_and_an_old_copy_does_not_bring_it_back(where: str) -> None:
    with Store(where) as kept:
        kept.keep_leaning("iris", "ann", LEANING, NOW_S)
        kept.keep_leaning("iris", "bob", LEANING, NOW_S)
        kept.append([happened(Kind.FORGOTTEN, "iris", NOW_S + 5, "ann")])
        assert kept.leaning("iris", "ann", NOW_S + 6) is None
        assert kept.leaning("iris", "bob", NOW_S + 6) == LEANING
        assert not kept.keep_leaning("iris", "ann", LEANING, NOW_S + 4)
        assert kept.leaning("iris", "ann", NOW_S + 6) is None
        # Who comes again is known again, and an old request does not undo that.
        assert kept.keep_leaning("iris", "ann", LEANING, NOW_S + 9)
        kept.append([happened(Kind.FORGOTTEN, "iris", NOW_S + 7, "ann")])
        assert kept.leaning("iris", "ann", NOW_S + 10) == LEANING
        kept.erase("iris")
        assert kept.leaning("iris", "bob", NOW_S + 6) is None


def test_nothing_of_it_is_left_in_the_file_or_taken_along(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    marked = replace(LEANING, usual_semitones=91.123456789)
    with Store(path) as kept:
        kept.append([Event("0", "iris", NOW_S, Kind.BORN, values=(("seed", 1.0),))])
        kept.keep_leaning("iris", "ann", marked, NOW_S)
        export_persona(kept, "iris", tmp_path / "iris.persona", provenance="", key=tmp_path / "key")
        assert b"91.123456789" not in (tmp_path / "iris.persona").read_bytes()
        kept.append([happened(Kind.FORGOTTEN, "iris", NOW_S + 5, "ann")])
        for file in tmp_path.glob("a.db*"):
            assert b"91.123456789" not in file.read_bytes(), file


def test_a_store_of_the_first_schema_is_brought_up_to_date_with_what_is_in_it(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [Event(f"{n}", "iris", NOW_S + n, Kind.NAMED, "", (("name", "x"),)) for n in range(9)]
    with Store(where) as kept:
        kept.append(events)
        with kept._writing() as connection:
            connection.exec_driver_sql("DROP TABLE persona_leanings")
            connection.exec_driver_sql(f"UPDATE {store.VERSION_TABLE} SET version_num = '0001'")
    with Store(where) as kept:
        assert list(kept.events("iris")) == events
        assert kept.keep_leaning("iris", "ann", LEANING, NOW_S)
        assert kept.leaning("iris", "ann", NOW_S) == LEANING


def test_a_leaning_towards_nobody_or_for_no_time_is_refused(where: str) -> None:
    with Store(where) as kept:
        for listener, for_s, code in (("", 1.0, "unknown_listener"), ("ann", 0.0, "out_of_range")):
            with pytest.raises(SettingError) as caught:
                kept.keep_leaning("iris", listener, LEANING, NOW_S, for_s)
            assert caught.value.code == code


def test_another_program_s_fields_count_as_none_and_damage_is_told(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as kept:
        kept.keep_leaning("iris", "ann", LEANING, NOW_S)
        for text, damaged in ((json.dumps(asdict(LEANING) | {"more": 1}), False), ("{", True)):
            other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
            other.execute("UPDATE persona_leanings SET leaning = ?", (text,))
            other.close()
            if not damaged:
                assert kept.leaning("iris", "ann", NOW_S) is None
                continue
            with pytest.raises(StoreError) as caught:
                kept.leaning("iris", "ann", NOW_S)
            assert caught.value.code == "store_damaged"


def test_what_is_shown_of_a_mood_widens_with_acquaintance() -> None:
    known = [acquaintance(replace(LEANING, talked_s=hours * 3_600)) for hours in (0, 0.5, 2, 8, 50)]
    assert known[0] == TO_STRANGERS == 0.6
    assert known == sorted(known)
    assert known[2] == pytest.approx(0.8)
    assert 0.99 < known[-1] <= 1


@pytest.mark.parametrize("mood", MOODS.values(), ids=MOODS)
def test_grown_leaning_and_mood_together_stay_within_a_turn(mood: Manner) -> None:
    for end in (0, 1):
        grown = Manner(**{name: budget.life[end] for name, budget in BUDGETS.items()})
        friend = replace(LEANING, lean=grown, talked_s=1e6)
        lasting, shown = towards(grown, friend, mood)
        for name in MANNER:
            low, high = BUDGETS[name].turn
            assert low <= getattr(lasting, name) <= high
            assert low - 1e-9 <= getattr(lasting, name) + getattr(shown, name) <= high + 1e-9
    stranger = towards(Manner(), Leaning(), mood)
    assert stranger == (Manner(), times(mood, TO_STRANGERS))
