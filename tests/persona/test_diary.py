"""The diary: nobody waits for the store, and nothing noted is lost, whatever fails meanwhile."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from test_store_failures import ENVIRONMENT

from persona_voice.errors import PersonaFileError, SettingError, StoreError
from persona_voice.persona import diary, store
from persona_voice.persona.diary import Diary
from persona_voice.persona.event import Event, Kind, happened
from persona_voice.persona.store import Store

WAIT_S = 30.0


def noted(n: int, name: str = "x") -> Event:
    return Event(f"{n:03}", "samantha", float(n), Kind.NAMED, "", (("name", name),))


def ids(where: str | Path) -> list[str]:
    with Store(where, create=False) as kept:
        return [event.id for event in kept.events("samantha")]


def in_the_way(path: Path) -> None:
    """A file where a folder must be: nothing can be opened below it."""
    path.write_text("")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diary, "RETRY_S", 0.01)
    monkeypatch.setattr(diary, "LONGEST_RETRY_S", 0.05)


def test_what_is_noted_is_in_the_store_when_it_says_so(where: str, tmp_path: Path) -> None:
    with Diary(where, tmp_path / "spool") as pages:
        for n in range(2500):
            pages.note(noted(n))
        assert pages.flush(WAIT_S)
        assert ids(where) == [f"{n:03}" for n in range(2500)]
    assert (pages.waiting, pages.faults) == (0, {})
    assert not (tmp_path / "spool").exists()


def test_a_store_out_of_reach_is_counted_and_gets_all_when_it_is_back(tmp_path: Path) -> None:
    where, spool = tmp_path / "away" / "a.db", tmp_path / "spool"
    in_the_way(where.parent)
    with Diary(where, spool) as pages:
        pages.note(noted(1))
        assert not pages.flush(WAIT_S)
        pages.note(noted(2))
        assert not pages.flush(WAIT_S)
        assert pages.waiting == 2
        assert pages.faults["store_unreachable"] >= 2
        where.parent.unlink()  # and it comes back by itself
        end = time.monotonic() + WAIT_S
        while pages.waiting and time.monotonic() < end:
            time.sleep(0.01)
        assert ids(where) == ["001", "002"]
        assert not spool.exists()


def test_what_an_earlier_process_could_not_keep_goes_in_with_the_next(tmp_path: Path) -> None:
    where, spool = tmp_path / "away" / "a.db", tmp_path / "spool"
    in_the_way(where.parent)
    with Diary(where, spool) as pages:
        pages.note(noted(1, "ça\u2028va\n☃"))
    assert pages.waiting == 1
    where.parent.unlink()
    with Diary(where, spool) as pages:
        assert pages.flush(WAIT_S)
    with Store(where) as kept:
        assert list(kept.events("samantha")) == [noted(1, "ça\u2028va\n☃")]


def rename(where: str, table: str, to: str) -> None:
    engine = store._engine(store._url(where))
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO {to}"))
    engine.dispose()


def test_a_store_that_fails_while_it_is_used_loses_nothing(where: str, tmp_path: Path) -> None:
    with Diary(where, tmp_path / "spool") as pages:
        pages.note(noted(1))
        assert pages.flush(WAIT_S)
        rename(where, "persona_events", "elsewhere")
        pages.note(noted(2))
        assert not pages.flush(WAIT_S)
        assert pages.waiting == 1
        assert pages.faults["store_failed"] >= 1
        assert (tmp_path / "spool").exists()
        rename(where, "elsewhere", "persona_events")
        assert pages.flush(WAIT_S)
    assert ids(where) == ["001", "002"]


def test_a_server_that_breaks_every_connection_loses_nothing(
    postgresql: str, tmp_path: Path
) -> None:
    with Diary(postgresql, tmp_path / "spool") as pages:
        for n in range(20):
            engine = store._engine(store._url(postgresql))
            with engine.begin() as connection:
                others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) {others}"))
            engine.dispose()
            pages.note(noted(n))
            pages.flush(WAIT_S)
        assert pages.flush(WAIT_S)
    assert ids(postgresql) == [f"{n:03}" for n in range(20)]


WRITER = """
import sys
from persona_voice.persona.diary import Diary
from persona_voice.persona.event import Event, Kind
pages = Diary(sys.argv[1], __import__("pathlib").Path(sys.argv[2]))
for n in range(10**6):
    pages.note(Event(f"{n:06}", "samantha", float(n), Kind.NAMED, "", (("name", "x"),)))
    pages.flush(5)
    print(n, flush=True)
"""


@pytest.mark.parametrize("reachable", [True, False])
def test_kill_9_loses_nothing_that_was_flushed(tmp_path: Path, reachable: bool) -> None:
    where, spool = tmp_path / "away" / "a.db", tmp_path / "spool"
    if not reachable:
        in_the_way(where.parent)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(where), str(spool)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(8)]
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()
    if not reachable:
        where.parent.unlink()
    with Diary(where, spool) as pages:
        assert pages.flush(WAIT_S)
    assert ids(where)[: len(said)] == [f"{n:06}" for n in range(len(said))]


def test_half_a_line_and_another_program_s_are_put_aside_and_the_rest_is_kept(
    tmp_path: Path,
) -> None:
    where, spool = tmp_path / "away" / "a.db", tmp_path / "spool"
    in_the_way(where.parent)
    Diary(where, spool).close()
    with Diary(where, spool) as pages:
        pages.note(noted(1))
    with spool.open("a") as file:
        file.write('\n["002","sam')
    with Diary(where, spool) as pages:
        pages.note(noted(3))
    where.parent.unlink()
    with Diary(where, spool) as pages:
        assert pages.flush(WAIT_S)
    assert ids(where) == ["001", "003"]
    assert pages.faults["spool_damaged"] == 1
    assert '"002","sam' in spool.with_suffix(".damaged").read_text()


def test_an_id_that_stands_for_another_event_is_counted_and_holds_nothing_up(
    tmp_path: Path,
) -> None:
    with Diary(tmp_path / "a.db", tmp_path / "spool") as pages:
        pages.note(noted(1))
        assert pages.flush(WAIT_S)
        for event in (noted(0), noted(1, "other"), noted(2)):
            pages.note(event)
        assert pages.flush(WAIT_S)
    assert pages.faults == {"event_conflict": 1}
    assert ids(tmp_path / "a.db") == ["000", "001", "002"]


def test_a_second_birth_is_left_out_and_counted_and_the_others_kept(tmp_path: Path) -> None:
    births = [happened(Kind.BORN, "samantha", 1.0, seed=n) for n in (1, 2)]
    with Diary(tmp_path / "a.db", tmp_path / "spool") as pages:
        for event in (births[0], noted(1), births[1], noted(2)):
            pages.note(event)
        assert pages.flush(WAIT_S)
    assert pages.faults == {"already_born": 1}
    assert sorted(ids(tmp_path / "a.db")) == sorted(["001", "002", births[0].id])


def test_without_store_and_spool_events_wait_in_memory(tmp_path: Path) -> None:
    where, spool = tmp_path / "away" / "a.db", tmp_path / "away" / "spool"
    in_the_way(where.parent)
    with Diary(where, spool) as pages:
        pages.note(noted(1))
        assert not pages.flush(WAIT_S)
        assert pages.faults["spool_failed"] >= 1
        where.parent.unlink()
        assert pages.flush(WAIT_S) or pages.flush(WAIT_S)
    assert ids(where) == ["001"]


def test_noting_does_not_wait_for_a_store_that_is_locked(tmp_path: Path) -> None:
    import sqlite3

    where = tmp_path / "a.db"
    with Diary(where, tmp_path / "spool") as pages:
        pages.note(noted(0))
        assert pages.flush(WAIT_S)
        other = sqlite3.connect(where, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for n in range(1, 50):
            pages.note(noted(n))  # returns: the test would wait for a minute if it did not
        assert pages.waiting > 0
        other.execute("ROLLBACK")
        other.close()
        assert pages.flush(2 * WAIT_S)
    assert len(ids(where)) == 50


def test_threads_may_note_at_once(tmp_path: Path) -> None:
    with Diary(tmp_path / "a.db", tmp_path / "spool") as pages:
        parts = [range(n, 800, 8) for n in range(8)]
        threads = [
            threading.Thread(target=lambda part=part: [pages.note(noted(n)) for n in part])
            for part in parts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert pages.flush(WAIT_S)
    assert len(ids(tmp_path / "a.db")) == 800


def test_what_is_no_event_and_no_store_is_told_at_once(tmp_path: Path) -> None:
    with Diary(tmp_path / "a.db", tmp_path / "spool") as pages, pytest.raises(StoreError) as caught:
        pages.note(Event("", "samantha", 0.0, Kind.NAMED, "", (("name", "x"),)))
    assert caught.value.code == "bad_event"
    with pytest.raises(SettingError):
        Diary("mysql://nowhere/x", tmp_path / "spool")


def test_a_happening_has_an_id_of_its_own_and_is_checked() -> None:
    one, other = (happened(Kind.NAMED, "samantha", 1.0, name="Iris") for _ in range(2))
    assert one.id != other.id
    assert one.values == (("name", "Iris"),)
    with pytest.raises(PersonaFileError):
        happened(Kind.CONVERSATION, "samantha", 1.0, "ann", seconds=3.0)
