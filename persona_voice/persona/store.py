"""What is remembered of every persona: one SQLite file, or PostgreSQL for many machines.

The store keeps events and, to save time, states; it never folds the one into the other.
"""

import contextlib
import itertools
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from persona_voice.errors import SettingError, StoreError
from persona_voice.persona import leanings
from persona_voice.persona.entrain import Leaning
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.folder import data_folder
from persona_voice.persona.ledger import DAY_S, day_of
from persona_voice.persona.record import (
    END_S,
    checked,
    event_of,
    state_of,
    state_text,
    values_text,
)
from persona_voice.persona.state import PersonaState

# Ours may share a database with other programs' tables, Alembic's of the same purpose among them.
VERSION_TABLE = "persona_voice_schema"
# Every schema there has been, oldest first; the files are in migrations/versions.
SCHEMAS = ("0001", "0002")
# How long a writer waits for those before it. An import of a million events takes less.
WAIT_S = 60
# How long a leaning is kept when nobody says otherwise: a season.
KEPT_S = 90.0 * DAY_S
# So near the newest, every snapshot is kept, and further back one in so many days.
RECENT_DAYS = 32
# Rows a statement reads or writes: far below what SQLite (32,766) takes in parameters.
ROWS = 1_000
# PostgreSQL's lock that writers queue at; any number that others do not use.
WRITERS = 0x70657273

_metadata = sa.MetaData()
# Ordered by code point in every database, as Python does.
_text = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_events = sa.Table(
    "persona_events",
    _metadata,
    sa.Column("id", _text, primary_key=True),
    sa.Column("persona", _text, nullable=False),
    sa.Column("at_s", sa.Double(), nullable=False),
    sa.Column("kind", _text, nullable=False),
    sa.Column("listener", _text, nullable=False),
    sa.Column("values", _text, nullable=False),
    sa.Index("persona_events_in_order", "persona", "at_s", "id"),
    sa.Index("persona_events_by_listener", "persona", "listener", "at_s"),
)
_snapshots = sa.Table(
    "persona_snapshots",
    _metadata,
    sa.Column("persona", _text, primary_key=True),
    sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
    sa.Column("state", _text, nullable=False),
)
_e, _s = _events.c, _snapshots.c


@dataclass(frozen=True)
class Ledger:
    """A persona's events, counted."""

    persona: str
    born_s: float | None
    """Of the first event `Kind.BORN`, if there is one."""
    newest_s: float
    num_events: int
    num_listeners: int
    """Of whom anything is known; those who were forgotten are not."""


class Store:
    """The events of personas, append-only, and snapshots of their states. A context manager.

    `where` is a path, ``sqlite:///PATH`` or ``postgresql://...``; without it one file in the
    platform's data folder. What a call has done when it returns survives kill -9 and power loss:
    SQLite writes ahead (WAL) and waits for the disk at every commit (synchronous FULL; NORMAL may
    lose the last ones), PostgreSQL commits synchronously whatever the server's default. When a
    call fails nothing of it was done, or, if the connection broke, all of it: calling again is
    safe, since equal events count once.

    Writers queue, one at a time for the whole store; readers wait for nobody. Threads may share
    one; a process that forks opens its own afterwards. Nothing that makes sound may call it: it
    waits for disks.

    Parameters
    ----------
    create : bool
        Make what is not there: the file, its folder, the tables.

    Raises
    ------
    SettingError
        ``unknown_store``, ``no_driver``.
    StoreError
        ``store_missing``, ``store_unreachable``, ``store_damaged``, ``store_newer``; these and
        ``store_full``, ``store_busy``, ``store_failed`` from every call.
    """

    def __init__(self, where: str | Path | None = None, *, create: bool = True) -> None:
        url = _url(data_folder() / "personas.db" if where is None else where)
        self._on_sqlite = url.get_backend_name() == "sqlite"
        self.name = str(url.database) if self._on_sqlite else url.render_as_string()
        if self._on_sqlite:
            self._make_file(Path(self.name), create=create)
        self._engine = _engine(url)
        try:
            with self._failures():
                self._bring_up_to_date(create=create)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def append(self, events: Iterable[Event]) -> int:
        """Keeps those that are new, all of them or none, and says how many these were.

        Snapshots that a new event makes untrue go. Where a listener is forgotten
        (`Kind.FORGOTTEN`), what they said before is erased, and is not taken in again; so is how she
        leaned towards them.

        Raises
        ------
        StoreError
            ``bad_event``; ``event_conflict`` if an id is there with other content, which stays;
            ``already_born`` for another birth of a persona: two of one name have no common ledger.
        """
        parts = _parts(map(checked, events))
        first = next(parts, None)  # whatever makes the events may take its time: no lock yet
        if first is None:
            return 0
        with self._writing() as connection:
            added = [_add(connection, part) for part in itertools.chain([first], parts)]
        if any(erased for _, erased in added):
            self._scrub()
        return sum(new for new, _ in added)

    def events(self, persona: str, *, from_day: int | None = None) -> Iterator[Event]:
        """Those of the persona by time, then id, in constant memory.

        Each part is read as it is then: what is appended meanwhile may be among them or not.
        """
        after: sa.ColumnElement[bool] = sa.true()
        if from_day is not None:
            after = _e.at_s >= float(from_day * DAY_S)
        wanted = sa.select(_events).where(_e.persona == persona)
        wanted = wanted.order_by(_e.at_s, _e.id).limit(ROWS)
        while True:
            with self._reading() as connection:
                rows = connection.execute(wanted.where(after)).all()
            yield from self._read(rows)
            if len(rows) < ROWS:
                return
            after = sa.tuple_(_e.at_s, _e.id) > (rows[-1].at_s, rows[-1].id)

    def personas(self) -> list[str]:
        """Those who have events, in order of name."""
        with self._reading() as connection:
            found = connection.scalars(sa.select(_e.persona).distinct().order_by(_e.persona))
            return list(found)

    def ledger(self, persona: str) -> Ledger | None:
        born = sa.func.min(sa.case((_e.kind == Kind.BORN.value, _e.at_s)))
        named = sa.and_(_e.listener != "", _e.kind != Kind.FORGOTTEN.value)
        listeners = sa.func.count(sa.distinct(sa.case((named, _e.listener))))
        counts = sa.select(born, sa.func.max(_e.at_s), sa.func.count(), listeners)
        with self._reading() as connection:
            row = connection.execute(counts.where(_e.persona == persona)).one()
        return Ledger(persona, row[0], row[1], row[2], row[3]) if row[2] else None

    def newest(self, persona: str, kind: Kind) -> Event | None:
        """The last event of that kind."""
        wanted = sa.select(_events).where(_e.persona == persona, _e.kind == kind.value)
        with self._reading() as connection:
            rows = connection.execute(wanted.order_by(_e.at_s.desc(), _e.id.desc()).limit(1)).all()
        return next(self._read(rows), None)

    def num_events_of(self, persona: str, listener: str) -> int:
        """How many are known of that listener, who may have been forgotten before."""
        theirs = sa.select(sa.func.count()).where(_e.persona == persona, _e.listener == listener)
        with self._reading() as connection:
            found = connection.scalar(theirs.where(_e.kind != Kind.FORGOTTEN.value))
        return int(found or 0)

    def counted(self, persona: str, up_to_day: int) -> tuple[int, int]:
        """Events to the end of that day, and of all days those in which a listener was forgotten.

        While both stay, so do the events of these days: only who is forgotten takes some away.
        """
        with self._reading() as connection:
            return _counted(connection, persona, up_to_day)

    def put_snapshot(self, state: PersonaState, *, counted: tuple[int, int] | None = None) -> bool:
        """Keeps the state for its day, instead of the one there.

        With what was `counted` before it was folded only if that is so still: an event may have come
        or gone since, and then it is not true. Of what lies more than `RECENT_DAYS` before it, one in
        as many days stays.
        """
        row = {"persona": state.persona, "day": state.day, "state": state_text(state)}
        with self._writing() as connection:
            if counted not in (None, _counted(connection, state.persona, state.day)):
                return False
            same = sa.and_(_s.persona == state.persona, _s.day == state.day)
            connection.execute(sa.delete(_snapshots).where(same))
            connection.execute(sa.insert(_snapshots), row)
            _thin_out(connection, state.persona, state.day)
        return True

    def snapshot(self, persona: str, up_to_day: int | None = None) -> PersonaState | None:
        """The newest state of that day or before, none if nobody kept one."""
        wanted = sa.select(_s.state).where(_s.persona == persona).order_by(_s.day.desc())
        if up_to_day is not None:
            wanted = wanted.where(_s.day <= up_to_day)
        with self._reading() as connection:
            for text in connection.scalars(wanted):
                try:
                    state = state_of(text)
                except ValueError as error:
                    raise _damaged(self.name, f"the snapshot {text!r}") from error
                if state is not None:
                    return state
        return None

    def keep_leaning(
        self,
        persona: str,
        listener: str,
        leaning: Leaning,
        at_s: float,
        for_s: float = KEPT_S,
    ) -> bool:
        """Keeps how she leans towards a listener who agreed to it: calling this is that they did.

        Only its few numbers are kept, until ``at_s + for_s`` or until they are forgotten; no
        ``.persona`` file takes them along. Whether it was kept: not if they have been forgotten since.

        Raises
        ------
        SettingError
            ``unknown_listener`` for one without a name; ``out_of_range`` for no time at all.
        """
        if not listener:
            message = "a leaning must be towards a listener who is known by a name, got none"
            raise SettingError(message, code="unknown_listener")
        if not 0 < for_s < END_S:
            message = f"a leaning must be kept for more than 0 s, got {for_s}"
            raise SettingError(message, code="out_of_range")
        forgotten = sa.select(sa.func.max(_e.at_s)).where(
            _e.persona == persona, _e.listener == listener, _e.kind == Kind.FORGOTTEN.value
        )
        with self._writing() as connection:
            until_s = connection.scalar(forgotten)
            if until_s is not None and until_s >= at_s:
                return False
            leanings.keep(connection, (persona, listener), leaning, at_s, at_s + for_s)
        return True

    def leaning(self, persona: str, listener: str, at_s: float) -> Leaning | None:
        """How she leans towards the listener; None for one who did not agree, was forgotten, or has
        stayed away for longer than it was to be kept."""
        with self._reading() as connection:
            try:
                return leanings.find(connection, (persona, listener), at_s)
            except ValueError as error:
                raise _damaged(self.name, f"the leaning towards {listener!r}") from error

    def erase(self, persona: str) -> int:
        """Removes all that is known of a persona, and says how many events that was."""
        with self._writing() as connection:
            gone = connection.execute(sa.delete(_events).where(_e.persona == persona)).rowcount
            connection.execute(sa.delete(_snapshots).where(_s.persona == persona))
            leanings.erase(connection, persona)
        self._scrub()
        return gone

    def _read(self, rows: Iterable[sa.Row[Any]]) -> Iterator[Event]:
        for row in rows:
            try:
                yield event_of(row)
            except KeyError as error:
                message = (
                    f'{self.name} holds an event of the kind "{row.kind}", which this program '
                    "does not know: a newer one wrote it; install that"
                )
                raise StoreError(message, code="store_newer", kind=row.kind) from error
            except (ValueError, TypeError) as error:
                raise _damaged(self.name, f"the event {row.id!r}") from error

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._failures(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """A transaction that is the only one that writes."""
        with self._failures(), self._engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                if not self._on_sqlite:
                    _queue_on_postgresql(connection)
                yield connection

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise _failure(self.name, error.orig) from error
        except (UnicodeEncodeError, OverflowError) as error:  # a name or a day that none can have
            raise StoreError(f"{self.name} failed: {error}", code="store_failed") from error

    def _make_file(self, path: Path, *, create: bool) -> None:
        """Its own user's alone, since it tells of people."""
        try:
            if create:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.touch(mode=0o600)
            missing = not path.exists()
        except OSError as error:
            raise _unreachable(self.name, error.strerror or str(error)) from error
        if missing:
            raise _missing(self.name)

    def _bring_up_to_date(self, *, create: bool) -> None:
        with self._engine.connect() as connection:
            found = _schema(connection)
        if found == SCHEMAS[-1]:
            return
        if found is None and not create:
            raise _missing(self.name)
        with self._writing() as connection:
            found = _schema(connection)  # another process may have been quicker
            if found is not None and found not in SCHEMAS:
                message = (
                    f"{self.name} must have a schema that this program knows, up to {SCHEMAS[-1]}, "
                    f"got {found}: a newer program wrote it; install that"
                )
                raise StoreError(message, code="store_newer", schema=found)
            if found != SCHEMAS[-1]:
                _migrate(connection)

    def _scrub(self) -> None:
        """SQLite's log still holds what was erased, until it starts anew."""
        if not self._on_sqlite:
            return
        with self._failures(), contextlib.closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout = 1000")  # if others read, the next one does it
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            cursor.execute(f"PRAGMA busy_timeout = {1000 * WAIT_S}")
            cursor.close()


def _parts(events: Iterable[Event]) -> Iterator[list[Event]]:
    events = iter(events)
    while part := list(itertools.islice(events, ROWS)):
        yield part


def _add(connection: sa.Connection, events: list[Event]) -> tuple[int, bool]:
    """How many were new, and whether anything was erased for them."""
    new = _new_ones(connection, events)
    _refuse_second_births(connection, new)
    forgotten = _forgotten(connection, new)
    kept = [
        event
        for event in new
        if event.kind is Kind.FORGOTTEN
        or event.at_s > forgotten.get((event.persona, event.listener), -float("inf"))
    ]
    if not kept:
        return 0, False
    connection.execute(sa.insert(_events), [_row(event) for event in kept])
    last = [event for event in kept if event.kind is Kind.FORGOTTEN]
    erased = [_forget(connection, event) for event in last]
    leaned = [leanings.forget(connection, e.persona, e.listener, e.at_s) for e in last]
    changed: dict[str, float] = {}
    for persona, at_s in [*((e.persona, e.at_s) for e in kept), *filter(None, erased)]:
        changed[persona] = min(at_s, changed.get(persona, at_s))
    for persona, at_s in changed.items():
        untrue = sa.and_(_s.persona == persona, _s.day >= day_of(at_s))
        connection.execute(sa.delete(_snapshots).where(untrue))
    return len(kept), any(erased) or any(leaned)


def _new_ones(connection: sa.Connection, events: list[Event]) -> list[Event]:
    """Those whose ids are not there yet, each once."""
    rows = connection.execute(sa.select(_events).where(_e.id.in_([event.id for event in events])))
    there = {row.id: tuple(row) for row in rows}
    new = []
    for event in events:
        row = tuple(_row(event).values())
        if event.id not in there:
            there[event.id] = row
            new.append(event)
        elif there[event.id] != row:
            message = (
                f"an id must stand for one event for ever; {event.id!r} stands for "
                f"{there[event.id]}, got {row}: nothing was added, give it an id of its own"
            )
            raise StoreError(message, code="event_conflict", id=event.id)
    return new


def _refuse_second_births(connection: sa.Connection, new: list[Event]) -> None:
    """An event is there for good: a ledger with two births could never be read again."""
    born: dict[str, str] = {}
    births = [event for event in new if event.kind is Kind.BORN]
    if births:
        names = {event.persona for event in births}
        of_them = sa.and_(_e.persona.in_(names), _e.kind == Kind.BORN.value)
        born = {
            row.persona: row.id for row in connection.execute(sa.select(_events).where(of_them))
        }
    for event in births:
        first = born.setdefault(event.persona, event.id)
        if first != event.id:
            message = (
                f'"{event.persona}" must be born once; she was by the event {first!r}, got '
                f"{event.id!r}: these are two personas of one name, and nothing was added; keep "
                "the other in a store of her own"
            )
            raise StoreError(message, code="already_born", id=event.id)


def _row(event: Event) -> dict[str, object]:
    return {
        "id": event.id,
        "persona": event.persona,
        "at_s": event.at_s,
        "kind": event.kind.value,
        "listener": event.listener,
        "values": values_text(event),
    }


def _thin_out(connection: sa.Connection, persona: str, newest: int) -> None:
    """A state of every day would fill the disk; a late event needs one not far before it."""
    old = sa.and_(_s.persona == persona, _s.day < newest - RECENT_DAYS)
    days = connection.scalars(sa.select(_s.day).where(old).order_by(_s.day)).all()
    last_of = {day // RECENT_DAYS: day for day in days}
    gone = set(days) - set(last_of.values())
    for day in gone:  # one or two, if this is done each time
        connection.execute(sa.delete(_snapshots).where(old, _s.day == day))


def _counted(connection: sa.Connection, persona: str, day: int) -> tuple[int, int]:
    by_then = _e.at_s < float((day + 1) * DAY_S)
    forgotten = _e.kind == Kind.FORGOTTEN.value
    counts = [sa.func.count(sa.case((these, 1))) for these in (by_then, forgotten)]
    row = connection.execute(sa.select(*counts).where(_e.persona == persona)).one()
    return int(row[0]), int(row[1])


def _forgotten(connection: sa.Connection, events: list[Event]) -> dict[tuple[str, str], float]:
    """Until when each listener of these events is forgotten, by persona and listener."""
    listeners = {event.listener for event in events if event.listener}
    wanted = sa.select(_e.persona, _e.listener, _e.at_s).where(
        _e.persona.in_({event.persona for event in events}),
        _e.listener.in_(listeners),
        _e.kind == Kind.FORGOTTEN.value,
    )
    rows = [tuple(row) for row in connection.execute(wanted)] if listeners else []
    rows += [(e.persona, e.listener, e.at_s) for e in events if e.kind is Kind.FORGOTTEN]
    until: dict[tuple[str, str], float] = {}
    for persona, listener, at_s in rows:
        until[persona, listener] = max(at_s, until.get((persona, listener), at_s))
    return until


def _forget(connection: sa.Connection, event: Event) -> tuple[str, float] | None:
    """Erases what the listener did until then; of which persona, and since when that was."""
    theirs = sa.and_(
        _e.persona == event.persona,
        _e.listener == event.listener,
        _e.at_s <= event.at_s,
        _e.kind != Kind.FORGOTTEN.value,
    )
    since = connection.scalar(sa.select(sa.func.min(_e.at_s)).where(theirs))
    if since is None:
        return None
    connection.execute(sa.delete(_events).where(theirs))
    return event.persona, since


def _url(where: str | Path) -> sa.URL:
    if isinstance(where, Path) or "://" not in where:
        # Absolute, so that no name means anything else to SQLite.
        return sa.URL.create("sqlite", database=str(Path(where).absolute()))
    try:
        url = sa.make_url(where)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise _unknown_store("a URL that cannot be read") from error
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite" or url.host or url.query or not url.database:
        raise _unknown_store(url.render_as_string())
    return _url(Path(url.database))


def _unknown_store(got: str) -> SettingError:
    message = f"a store must be a path, sqlite:///PATH or postgresql://USER@HOST/NAME, got {got}"
    return SettingError(message, code="unknown_store")


def _engine(url: sa.URL) -> sa.Engine:
    """Connections that begin and end their transactions themselves, as many as there are threads."""
    if url.get_backend_name() == "sqlite":
        by_hand: dict[str, Any] = {"timeout": WAIT_S, "isolation_level": None}
        engine = sa.create_engine(url, connect_args=by_hand, max_overflow=-1, hide_parameters=True)
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_on_sqlite)
        return engine
    patience = {} if "connect_timeout" in url.query else {"connect_timeout": 10}
    try:
        return sa.create_engine(
            url,
            connect_args=patience,
            max_overflow=-1,
            pool_pre_ping=True,  # a server that was started anew meanwhile
            hide_parameters=True,
        )
    except ImportError as error:
        message = "PostgreSQL needs psycopg: pip install 'persona-voice-engine[postgres]'"
        raise SettingError(message, code="no_driver") from error


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # Where two change a new file to WAL at once, SQLite refuses one of them without waiting.
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            break
        except sqlite3.OperationalError as error:
            if _reason(error) != "busy" or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # on macOS the disk is not waited for without
    connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
    connection.execute("PRAGMA cell_size_check = ON")  # damage is found sooner
    # 64 MiB at most: a long import touches its indexes everywhere, and with SQLite's 2 MiB half a
    # million events took over 170 s instead of 125 s, side by side.
    connection.execute("PRAGMA cache_size = -65536")


def _begin_on_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    # A reader that turns writer may find that it cannot; a writer says so, and waits, at once.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _queue_on_postgresql(connection: sa.Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_S}s'")
    connection.exec_driver_sql(
        f"SELECT pg_advisory_xact_lock({WRITERS}), "
        "CASE current_setting('synchronous_commit') "
        "WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END"
    )


def _schema(connection: sa.Connection) -> str | None:
    """Of the tables that are there; none if there are none."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    version = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text()))
    found = connection.scalar(sa.select(version.c.version_num))
    return None if found is None else str(found)


def _migrate(connection: sa.Connection) -> None:
    # Here, since it takes time to load and is needed once per schema.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _reason(error: BaseException | None) -> str:
    """What a driver's error means: by its number, since texts change."""
    if isinstance(error, sqlite3.Error):
        number = getattr(error, "sqlite_errorcode", 0)
        return _SQLITE.get(number) or _SQLITE.get(number & 0xFF, "failed")
    state = getattr(error, "sqlstate", None) or "08"  # no state: the server never answered
    return next((why for prefix, why in _POSTGRESQL.items() if state.startswith(prefix)), "failed")


_SQLITE = {
    sqlite3.SQLITE_FULL: "full",
    # Full in other ways: a limit on the size of files, a quota, no room for the shared index.
    sqlite3.SQLITE_IOERR_WRITE: "full",
    sqlite3.SQLITE_IOERR_SHMSIZE: "full",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_IOERR_SHORT_READ: "damaged",
    sqlite3.SQLITE_CANTOPEN: "unreachable",
    sqlite3.SQLITE_READONLY: "unreachable",
    sqlite3.SQLITE_PERM: "unreachable",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
}
# By the beginning of SQLSTATE.
_POSTGRESQL = {
    "53100": "full",
    "XX001": "damaged",
    "XX002": "damaged",
    "55P03": "busy",
    "40": "busy",
    "57014": "busy",
    "08": "unreachable",
    "28": "unreachable",
    "3D": "unreachable",
    "42501": "unreachable",
    "53": "unreachable",
    "57P": "unreachable",
}


def _failure(name: str, error: BaseException | None) -> StoreError:
    said = " ".join(str(error).split())
    match _reason(error):
        case "full":
            message = (
                f"{name} must have room to grow, got: {said}; nothing of this was added and all "
                "else is as it was: make room and do it again"
            )
            return StoreError(message, code="store_full")
        case "damaged":
            return _damaged(name, said)
        case "busy":
            message = (
                f"{name} must let a writer in within {WAIT_S} s, got: {said}; another program is "
                "writing: do it again, nothing of this was added"
            )
            return StoreError(message, code="store_busy")
        case "unreachable":
            return _unreachable(name, said)
        case _:
            return StoreError(f"{name} failed: {said}", code="store_failed")


def _damaged(name: str, what: str) -> StoreError:
    message = (
        f"{name} must be a whole store, and is damaged: {what}; it is left as it is. Copy it, then "
        "put a backup back, or try `sqlite3 FILE .recover` on the copy"
    )
    return StoreError(message, code="store_damaged")


def _unreachable(name: str, reason: str) -> StoreError:
    message = f"{name} must be a store that can be opened and written: {reason}"
    return StoreError(message, code="store_unreachable")


def _missing(name: str) -> StoreError:
    message = f"no store at {name}; it is made when a persona's first event is kept"
    return StoreError(message, code="store_missing")
