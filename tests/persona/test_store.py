"""The store: what is put in comes out, in order, once, and goes when it is to go."""

import itertools
import random
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from persona_voice.errors import PersonaVoiceError, SettingError, StoreError
from persona_voice.persona import folder, leanings, store
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.ledger import DAY_S
from persona_voice.persona.state import MANNER, Manner, Opinion, PersonaState
from persona_voice.persona.store import ROWS, Ledger, Store

NOON = 20_000 * DAY_S + DAY_S / 2


def event(id: str, day: float = 0.0, persona: str = "samantha", listener: str = "") -> Event:
    values = (("arousal", 0.25), ("seconds", 12.5), ("valence", -0.1))
    return Event(id, persona, NOON + day * DAY_S, Kind.CONVERSATION, listener, values)


def feedback(**values: float) -> tuple[tuple[str, float | str], ...]:
    return tuple(sorted((dict.fromkeys(MANNER, 0.0) | values).items()))


def forgotten(id: str, listener: str, day: float) -> Event:
    return Event(id, "samantha", NOON + day * DAY_S, Kind.FORGOTTEN, listener)


def state(day: int, level_db: float = 0.0) -> PersonaState:
    manner = Manner(level_db=level_db, register_semitones=0.1 + 0.2)
    opinion = Opinion("Zoë", 20_000, (1, -2, 3, 0, 0, 2**24), (5, -6))
    return PersonaState("samantha", 7, 20_000, 20_000 + day, "Samantha ♥", manner, (opinion,))


def test_events_come_back_as_they_were(where: str) -> None:
    told = feedback(liked=-1.0, tilt_db=0.1 + 0.2)
    put = [
        Event("a", "samantha", 1.5, Kind.BORN, values=(("seed", 7.0),)),
        Event("é", "samantha", 1e9 + 1e-6, Kind.FEEDBACK, "Zoë 𝔸", told),
        Event("b", "samantha", 2e9, Kind.RETURNED, values=(("day", 3),)),
        Event("c", "samantha", 3e9, Kind.NAMED, values=(("name", "ça va\n☃"),)),
    ]
    with Store(where) as first:
        assert first.append(iter(put)) == 4
    with Store(where) as again:
        assert list(again.events("samantha")) == put
        assert list(again.events("nobody")) == []


def test_events_come_in_order_of_time_then_id_however_they_went_in(where: str) -> None:
    """Ids in the order of Python, whatever the database's language; more than one part at once."""
    odd = ["B", "a", "é", "Z", "～", "𝔸", "a b", "_", "É", "ß", "Ä"]
    put = [event(id, day) for day in (0.0, -3.0, 2.5) for id in (f"{day} {o}" for o in odd)]
    put += [event(f"{i}", 1.0) for i in range(2 * ROWS)]
    random.Random(0).shuffle(put)
    with Store(where) as kept:
        assert kept.append(put) == len(put)
        found = list(kept.events("samantha"))
        assert found == sorted(put, key=lambda e: (e.at_s, e.id))
        later = list(kept.events("samantha", from_day=20_001))
        assert later == [e for e in found if e.at_s >= 20_001 * DAY_S]


@pytest.mark.parametrize("num", [ROWS - 1, ROWS, ROWS + 1])
def test_no_event_is_lost_between_two_parts(tmp_path: Path, num: int) -> None:
    with Store(tmp_path / "a.db") as kept:
        assert kept.append(event(f"{i:05}") for i in range(num)) == num
        assert [e.id for e in kept.events("samantha")] == [f"{i:05}" for i in range(num)]


def test_what_is_there_is_not_new(where: str) -> None:
    a, b, c = event("a"), event("b"), event("c")
    with Store(where) as kept:
        assert kept.append([]) == 0
        assert kept.append([a, b]) == 2
        assert kept.append([a, b]) == 0
        assert kept.append([c, b, c, a]) == 1
        assert list(kept.events("samantha")) == [a, b, c]


def test_an_id_that_is_there_with_other_content_is_refused_with_all_that_came_along(
    where: str,
) -> None:
    there, other = event("a"), replace(event("a"), listener="ann")
    with Store(where) as kept:
        kept.append([there])
        before = [event(f"{i}") for i in range(2 * ROWS)]
        for offered in ([*before, other], [replace(there, persona="marek")], [event("b"), other]):
            with pytest.raises(StoreError, match="'a' stands for .* nothing was added") as caught:
                kept.append(offered)
            assert (caught.value.code, caught.value.fields) == ("event_conflict", {"id": "a"})
        with pytest.raises(StoreError, match="'b' stands for"):
            kept.append([event("b"), event("b", 1.0)])
        assert list(kept.events("samantha")) == [there]
        assert kept.personas() == ["samantha"]


def test_a_number_is_the_same_however_it_is_written(where: str) -> None:
    a = Event("a", "samantha", 5, Kind.FEEDBACK, "ann", feedback(liked=1, tilt_db=-0.0))
    b = Event("a", "samantha", 5.0, Kind.FEEDBACK, "ann", feedback(liked=1.0, tilt_db=0.0))
    with Store(where) as kept:
        assert kept.append([a]) == 1
        assert kept.append([b]) == 0


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (event(""), "must have an id and a persona"),
        (event("a", persona=""), "must have an id and a persona"),
        (event("a\0"), "UTF-8 without NUL"),
        (event("a", listener="\udcff"), "UTF-8 without NUL"),
        (replace(event("a"), at_s=float("nan")), "finite numbers"),
        (replace(event("a"), at_s=-1.0), "from 1970 to 9999"),
        (replace(event("a"), at_s=1e300), "from 1970 to 9999"),
        (replace(event("a"), values=(("a", float("inf")),)), "finite numbers"),
        (replace(event("a"), values=(("a", 10**400),)), "finite numbers"),
        (replace(event("a"), values=(("b", 1.0), ("a", 1.0))), "in order of name"),
        (replace(event("a"), values=(("a", 1.0), ("a", 1.0))), "in order of name"),
        (replace(event("a"), values=(("a", "\0"),)), "UTF-8 without NUL"),
        (replace(event("a"), kind="sung"), "of a kind among born, designed"),  # type: ignore[arg-type]
        (forgotten("a", "", 0), "the listener who is forgotten"),
    ],
)
def test_an_event_that_could_not_be_kept_as_it_is_is_refused(
    tmp_path: Path, bad: Event, said: str
) -> None:
    with Store(tmp_path / "a.db") as kept:
        with pytest.raises(StoreError, match=said) as caught:
            kept.append([event("good"), bad])
        assert caught.value.code == "bad_event"
        assert kept.personas() == []


def test_the_newest_snapshot_up_to_a_day_is_given(where: str) -> None:
    with Store(where) as kept:
        assert kept.snapshot("samantha") is None
        for day in (5, 1, 3):
            assert kept.put_snapshot(state(day))
        assert kept.put_snapshot(state(3, level_db=0.5))
        assert kept.snapshot("samantha") == state(5)
        assert kept.snapshot("samantha", 20_004) == state(3, level_db=0.5)
        assert kept.snapshot("samantha", 20_000) is None
        assert kept.snapshot("marek") is None


def test_a_new_event_takes_the_snapshots_that_it_makes_untrue(where: str) -> None:
    with Store(where) as kept:
        for day in (1, 3, 5):
            kept.put_snapshot(state(day))
        kept.append([event("late", 2.0), event("other", -9.0, persona="marek")])
        assert kept.snapshot("samantha") == state(1)
        kept.put_snapshot(state(3))
        kept.append([event("late", 2.0)])  # it was there: nothing is untrue
        assert kept.snapshot("samantha") == state(3)


def test_who_was_born_is_not_born_again_and_her_ledger_stays_readable(where: str) -> None:
    def born(id: str, persona: str = "samantha") -> Event:
        return replace(event(id, persona=persona), kind=Kind.BORN, values=(("seed", 7.0),))

    with Store(where) as kept:
        assert kept.append([born("a"), born("m", "marek"), born("a")]) == 2
        for meanwhile in (
            [born("b")],
            [event("c"), born("a"), born("b")],
            [born("x", "eve"), born("y", "eve")],
        ):
            with pytest.raises(StoreError) as caught:
                kept.append(meanwhile)
            assert caught.value.code == "already_born"
        assert [of.id for of in kept.events("samantha")] == ["a"]


def test_a_state_that_an_event_overtook_is_not_kept(where: str) -> None:
    with Store(where) as kept:
        kept.append([event("a", 0.0), event("b", 1.0), event("c", 2.0)])
        assert kept.put_snapshot(state(1), counted=(2, 0))
        kept.append([event("d", 0.5)])
        assert not kept.put_snapshot(state(1), counted=(2, 0))
        assert kept.snapshot("samantha") is None
        assert kept.put_snapshot(state(1), counted=(3, 0))


def test_a_snapshot_with_fields_of_another_program_counts_as_none(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as kept:
        kept.put_snapshot(state(1))
        kept.put_snapshot(state(2))
        with kept._writing() as connection:
            connection.exec_driver_sql(
                """UPDATE persona_snapshots SET state = '{"soul":1}' WHERE day = 20002"""
            )
        assert kept.snapshot("samantha") == state(1)


def test_who_is_forgotten_is_erased_and_stays_so_in_any_order(where: str) -> None:
    """An old copy that is put in later brings nothing back; what they say afterwards counts."""
    put = [
        event("1", 0.0, listener="ann"),
        event("2", 0.5, listener="bob"),
        forgotten("3", "ann", 1.0),
        event("4", 2.0, listener="ann"),
    ]
    names = itertools.count()
    with Store(where) as kept:
        for order in itertools.permutations(put):
            persona = f"p{next(names)}"
            for e in order:
                kept.append([replace(e, id=f"{persona} {e.id}", persona=persona)])
            assert [e.id for e in kept.events(persona)] == [f"{persona} {i}" for i in "234"]
        # In one call, too.
        assert kept.append(put) == 4 - 1
        assert kept.append(put) == 0
        assert [e.id for e in kept.events("samantha")] == list("234")
        assert kept.ledger("samantha") == Ledger("samantha", None, put[3].at_s, 3, 2)


def test_to_forget_takes_the_snapshots_since_the_listener_came(where: str) -> None:
    with Store(where) as kept:
        kept.append([event("1", 2.0, listener="ann"), event("2", 3.0, listener="bob")])
        for day in (1, 4):
            kept.put_snapshot(state(day))
        kept.append([forgotten("3", "ann", 9.0)])
        assert kept.snapshot("samantha") == state(1)


def test_erasing_leaves_the_others(where: str) -> None:
    with Store(where) as kept:
        kept.append([event("a"), event("b"), event("c", persona="marek")])
        kept.put_snapshot(state(1))
        assert kept.erase("samantha") == 2
        assert kept.erase("samantha") == 0
        assert kept.personas() == ["marek"]
        assert kept.ledger("samantha") is None
        assert kept.snapshot("samantha") is None
        assert kept.append([event("a")]) == 1


@pytest.mark.parametrize("by", ["erase", "forget"])
def test_what_is_erased_is_in_no_file_any_more(tmp_path: Path, by: str) -> None:
    with Store(tmp_path / "a.db") as kept:
        kept.append(event(f"xylophone {i}", listener="ann") for i in range(200))
        assert any(b"xylophone" in file.read_bytes() for file in tmp_path.iterdir())
        if by == "erase":
            kept.erase("samantha")
        else:
            kept.append([forgotten("f", "ann", 1.0)])
        assert not any(b"xylophone" in file.read_bytes() for file in tmp_path.iterdir())


def test_a_ledger_is_counted(where: str) -> None:
    born = Event("0", "samantha", NOON - DAY_S, Kind.BORN, values=(("seed", 7.0),))
    put = [event("a", 0, listener="ann"), event("b", 1, listener="ann"), event("c", 2)]
    with Store(where) as kept:
        kept.append([*put, born, event("d", persona="anna", listener="x")])
        assert kept.ledger("samantha") == Ledger("samantha", NOON - DAY_S, put[-1].at_s, 4, 1)
        assert kept.personas() == ["anna", "samantha"]


def test_a_long_ledger_is_read_in_little_memory(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as kept:
        kept.append(event(f"{i}", i / DAY_S) for i in range(20_000))
        tracemalloc.start()
        try:
            assert sum(1 for _ in kept.events("samantha")) == 20_000
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    # Of one part of 1,000 rows about 0.6 MB, and the statements; of all of them 12 MB.
    assert peak_bytes < 3_000_000


def test_an_empty_database_gets_the_tables_of_the_newest_schema(where: str) -> None:
    with Store(where) as kept, kept._reading() as connection:
        options = {"version_table": store.VERSION_TABLE}
        context = MigrationContext.configure(connection, opts=options)
        known = [store._metadata, leanings._leanings.metadata]
        assert compare_metadata(context, known) == []
        assert context.get_current_revision() == store.SCHEMAS[-1]


def test_every_schema_is_listed() -> None:
    scripts = ScriptDirectory(str(Path(store.__file__).parent / "migrations"))
    found = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(found)) == store.SCHEMAS


def test_another_program_may_have_tables_in_the_same_database(where: str) -> None:
    engine = sa.create_engine(store._url(where))
    with engine.begin() as connection:
        for statement in ("CREATE TABLE events (x INT)", "CREATE TABLE alembic_version (x INT)"):
            connection.exec_driver_sql(statement)
    with Store(where) as kept:
        assert kept.append([event("a")]) == 1
    with engine.connect() as connection:
        assert {"events", "alembic_version"} <= set(sa.inspect(connection).get_table_names())
    engine.dispose()


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("mysql://user:secret@host/name", "got mysql://user:***@host/name"),
        ("sqlite://", "got sqlite:///"),
        ("sqlite:///a.db?mode=ro", "got sqlite:///a.db"),
        ("http://[", "cannot be read"),
    ],
)
def test_another_kind_of_store_is_refused(given: str, got: str) -> None:
    with pytest.raises(SettingError, match="a path, sqlite:///PATH or postgresql://") as caught:
        Store(given)
    assert caught.value.code == "unknown_store"
    assert "secret" not in str(caught.value)


def test_without_the_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingError, match="pip install") as caught:
        Store("postgresql://somewhere/x")
    assert caught.value.code == "no_driver"


def test_the_default_is_a_file_in_the_data_folder_of_this_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with pytest.raises(StoreError, match="no store at .*personas.db") as caught:
        Store(create=False)
    assert caught.value.code == "store_missing"
    assert list(tmp_path.iterdir()) == []
    with Store():
        file = tmp_path / "data" / "persona-voice" / "personas.db"
        assert {f.stat().st_mode & 0o777 for f in file.parent.iterdir()} == {0o600}
        assert file.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    assert folder.data_folder() == Path.home() / ".local/share/persona-voice"


def test_an_empty_database_is_no_store_unless_it_is_to_be_made(where: str) -> None:
    with pytest.raises(PersonaVoiceError, match="no store at") as caught:
        Store(where, create=False)
    assert caught.value.code == "store_missing"
    Store(where).close()
    Store(where, create=False).close()


def test_whatever_makes_sound_does_not_load_the_store() -> None:
    code = (
        "import sys, persona_voice.build, persona_voice.live.session, persona_voice.path.batch\n"
        "print({'sqlalchemy', 'sqlite3', 'alembic', 'persona_voice.persona.store'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_old_snapshots_are_thinned_out_and_one_stays_near_any_day(where: str) -> None:
    with Store(where) as kept:
        for day in range(20_000, 20_400):
            kept.put_snapshot(PersonaState("samantha", 7, 20_000, day, "", Manner()))
        states = [kept.snapshot("samantha", day) for day in range(20_000, 20_400)]
        days = sorted({state.day for state in states if state})
        assert days[-33:] == list(range(20_367, 20_400))
        assert len(days) < 33 + 400 / store.RECENT_DAYS + 2
        assert max(b - a for a, b in pairwise(days)) <= store.RECENT_DAYS
