"""The store when things go wrong: what it has said is kept is kept, and the error tells what to do."""

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from persona_voice.errors import StoreError
from persona_voice.persona import store
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.store import Store

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}

# Each id is printed once the store has said that it is kept.
WRITER = """
import itertools, sys
from persona_voice.errors import StoreError
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.store import Store
where, start, stop, step, size = sys.argv[1], *map(int, sys.argv[2:])
with Store(where) as kept:
    for i in itertools.islice(itertools.count(start, step), stop):
        ids = [f"{i}-{k}" for k in range(size)]
        events = [Event(id, "samantha", float(i), Kind.NAMED, "", (("name", "x" * 50),)) for id in ids]
        try:
            new = kept.append(events)
        except StoreError as error:
            print(error.code, error, flush=True)
            break
        print(*ids, new, flush=True)
"""


def writer(
    where: str, start: int = 0, stop: int = 10**6, step: int = 1, size: int = 1
) -> list[str]:
    return [sys.executable, "-c", WRITER, where, *map(str, (start, stop, step, size))]


def run(command: list[str]) -> str:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return done.stdout


def ids(where: str) -> list[str]:
    with Store(where, create=False) as kept:
        return [event.id for event in kept.events("samantha")]


def event(id: str, at_s: float = 0.0) -> Event:
    return Event(id, "samantha", at_s, Kind.NAMED, "", (("name", "x"),))


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_what_was_acknowledged_is_there_after_kill_9(where: str, acknowledged: int) -> None:
    """And what was not is there as a whole or not at all."""
    process = subprocess.Popen(writer(where, size=3), env=ENVIRONMENT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(acknowledged)]
    process.kill()
    said += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    whole = [line for line in said if line.endswith(b"\n")]
    told = [word for line in whole for word in line.decode().split()[:-1]]
    found = ids(where)
    assert found[: len(told)] == told
    assert len(found) % 3 == 0
    with Store(where) as kept:  # no lock is left behind
        assert kept.append([event("after", 1e9)]) == 1


def test_processes_that_make_and_fill_one_store_at_once_lose_nothing(where: str) -> None:
    """Four, each pair with the same events: every event is new to one of them, and only one."""
    steps = [(0, 2), (1, 2), (0, 2), (1, 2)]
    processes = [
        subprocess.Popen(
            writer(where, start, 40, step), env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
        )
        for start, step in steps
    ]
    said = [process.communicate(timeout=60)[0].splitlines() for process in processes]
    assert [len(lines) for lines in said] == [40] * 4
    assert sum(int(line.split()[-1]) for lines in said for line in lines) == 80
    assert ids(where) == [f"{i}-0" for i in range(80)]


def test_the_change_to_wal_is_tried_until_it_is_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite waits for others, but not where two change at once: 1 of 600 met it, with four."""

    class Refused(sqlite3.Connection):
        left = 3

        def execute(self, statement: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            if "journal_mode" in statement and Refused.left:
                Refused.left -= 1
                error = sqlite3.OperationalError("database is locked")
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
            return super().execute(statement, *values)  # type: ignore[arg-type]

    connection = sqlite3.connect(tmp_path / "a.db", isolation_level=None, factory=Refused)
    store._set_up_sqlite(connection, None)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert Refused.left == 0
    Refused.left = 10**9
    monkeypatch.setattr(store, "WAIT_S", 0.1)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        store._set_up_sqlite(connection, None)
    connection.close()


def test_threads_may_share_one(where: str) -> None:
    with Store(where) as kept:
        new = [0] * 8

        def work(n: int) -> None:
            for i in range(10):
                new[n] += kept.append([event(f"{i}"), event(f"{n} {i}")])
                assert kept.ledger("samantha") is not None

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(new) == 10 + 80
        assert len(list(kept.events("samantha"))) == 90


def test_sqlite_waits_for_the_disk_at_every_commit(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as kept, kept._reading() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "fullfsync", "secure_delete")
        }
    full = 2
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": full,
        "fullfsync": 1,
        "secure_delete": 1,
    }


def test_postgresql_commits_synchronously_whatever_the_server_does(postgresql: str) -> None:
    lazy = f"{postgresql}%20-csynchronous_commit%3Doff"
    with Store(lazy) as kept:
        with kept._reading() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "off"
        with kept._writing() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_a_server_that_dropped_us_is_called_again(postgresql: str) -> None:
    with Store(postgresql) as kept, Store(postgresql) as other:
        with kept._reading() as connection:
            process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with other._reading() as connection:
            connection.exec_driver_sql(f"SELECT pg_terminate_backend({process})")
        assert kept.append([event("a")]) == 1


def test_a_server_that_goes_in_the_middle_is_told_and_nothing_half_is_there(
    postgresql: str,
) -> None:
    with Store(postgresql) as kept, Store(postgresql) as other:

        def events() -> Iterator[Event]:
            yield from (event(f"{i}") for i in range(2 * store.ROWS))
            with other._reading() as connection:
                ours = "application_name = 'victim' AND pid <> pg_backend_pid()"
                connection.exec_driver_sql(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"
                )
            yield event("last")

        with Store(f"{postgresql}&application_name=victim") as victim:
            with pytest.raises(StoreError, match="can be opened and written") as caught:
                victim.append(events())
            assert caught.value.code == "store_unreachable"
            assert list(kept.events("samantha")) == []
            assert victim.append([event("a")]) == 1


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can be opened and written") as caught:
        Store(f"postgresql://me:secret@/x?host={tmp_path}")
    assert caught.value.code == "store_unreachable"
    assert "secret" not in str(caught.value)
    assert "***" in str(caught.value)


def test_a_database_that_is_not_there_is_told(server: str) -> None:
    with pytest.raises(StoreError, match='database "nothing" does not exist') as caught:
        Store(server.replace("/postgres?", "/nothing?"))
    assert caught.value.code == "store_unreachable"


def test_a_place_where_no_file_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "file" / "a.db", tmp_path):
        with pytest.raises(StoreError, match="can be opened and written") as caught:
            Store(place)
        assert caught.value.code == "store_unreachable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    Store(tmp_path / "a.db").close()
    (tmp_path / "a.db").chmod(0o400)
    with pytest.raises(StoreError) as caught, Store(tmp_path / "a.db") as kept:
        kept.append([event("a")])
    assert caught.value.code == "store_unreachable"


def full_of_events(path: Path, num: int = 2_000) -> bytes:
    with Store(path) as kept:
        kept.append(event(f"{i:05}", float(i)) for i in range(num))
    return path.read_bytes()


@pytest.mark.parametrize("content", [b"not a database, but long enough to be looked at " * 100])
def test_a_file_that_is_something_else_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.db").write_bytes(content)
    with pytest.raises(StoreError, match="left as it is. Copy it") as caught:
        Store(tmp_path / "a.db")
    assert caught.value.code == "store_damaged"
    assert (tmp_path / "a.db").read_bytes() == content


@pytest.mark.parametrize("hurt", ["a hole", "cut short", "the values of one event"])
def test_damage_is_found_when_it_is_read_and_made_no_worse(tmp_path: Path, hurt: str) -> None:
    path = tmp_path / "a.db"
    content = full_of_events(path)
    middle = len(content) // 2 // 4096 * 4096
    match hurt:
        case "a hole":
            damaged = content[:middle] + bytes(8 * 4096) + content[middle + 8 * 4096 :]
        case "cut short":
            damaged = content[:middle]
        case _:
            damaged = content.replace(b'[["name","x"]]', b'[["name","x"]?')
    assert damaged != content
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="is damaged: .* left as it is") as caught:  # noqa: SIM117
        with Store(path) as kept:
            list(kept.events("samantha"))
    assert caught.value.code == "store_damaged"
    assert path.read_bytes() == damaged


def test_a_file_full_to_its_limit_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    Store(path).close()
    limit = 400_000

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        writer(path, size=100),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=limited,
    )
    _check_full(path, done.stdout.splitlines())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted by this user")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_what_was_acknowledged(small_disk: Path) -> None:
    path = str(small_disk / "a.db")
    lines = run(writer(path, size=100)).splitlines()
    _check_full(path, lines, grow=False)


def _check_full(path: str, lines: list[str], *, grow: bool = True) -> None:
    code, said = lines[-1].split(maxsplit=1)
    assert code == "store_full"
    assert "make room and do it again" in said
    told = [word for line in lines[:-1] for word in line.split()[:-1]]
    assert len(told) >= 300
    found = ids(path)
    assert sorted(found) == sorted(told)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    if grow:
        with Store(path) as kept:
            assert kept.append([event("after", 1e9)]) == 1


def test_a_disk_too_full_to_begin_is_told(small_disk: Path) -> None:
    with (small_disk / "filler").open("wb") as filler:
        try:
            filler.write(bytes(10**6))
            filler.flush()
        except OSError:
            pass
    with pytest.raises(StoreError) as caught:
        Store(small_disk / "a.db")
    assert caught.value.code == "store_full"
    (small_disk / "filler").unlink(missing_ok=True)
    with Store(small_disk / "a.db") as kept:
        assert kept.append([event("a")]) == 1


def test_a_newer_schema_is_left_alone(where: str) -> None:
    with Store(where) as kept:
        kept.append([event("a")])
        with kept._writing() as connection:
            connection.exec_driver_sql(f"UPDATE {store.VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(StoreError, match="up to 0002, got 9999: a newer program") as caught:
        Store(where)
    assert (caught.value.code, caught.value.fields) == ("store_newer", {"schema": "9999"})


def test_an_event_of_a_newer_program_is_told(where: str) -> None:
    with Store(where) as kept:
        kept.append([event("a")])
        with kept._writing() as connection:
            connection.execute(sa.update(store._events).values(kind="sung"))
        with pytest.raises(StoreError, match='of the kind "sung".* install that') as caught:
            list(kept.events("samantha"))
    assert (caught.value.code, caught.value.fields) == ("store_newer", {"kind": "sung"})


def test_a_writer_that_waits_too_long_is_told(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WAIT_S", 1)
    with Store(where) as kept, Store(where) as other:
        kept.append([event("a")])
        with other._writing():
            assert [e.id for e in kept.events("samantha")] == ["a"]  # readers wait for nobody
            with pytest.raises(StoreError, match="within 1 s") as caught:
                kept.append([event("b")])
        assert caught.value.code == "store_busy"
        assert kept.append([event("b")]) == 1


def test_a_store_whose_tables_are_gone_says_what_the_database_said(where: str) -> None:
    with Store(where) as kept:
        with kept._writing() as connection:
            connection.exec_driver_sql("DROP TABLE persona_events")
        with pytest.raises(StoreError, match="persona_events") as caught:
            kept.append([event("a")])
    assert caught.value.code == "store_failed"


def test_a_name_that_no_one_can_have_is_told(where: str) -> None:
    with Store(where) as kept:
        with pytest.raises(StoreError, match="failed: .*surrogates not allowed") as caught:
            kept.ledger("\udcff")
        assert caught.value.code == "store_failed"
        with pytest.raises(StoreError) as caught:
            kept.snapshot("samantha", 10**30)
        assert caught.value.code == "store_failed"
