"""Events on their way into the store: whoever speaks never waits for a disk or a database."""

import os
import threading
from collections import Counter
from pathlib import Path
from typing import Self

from persona_voice.errors import StoreError
from persona_voice.persona.event import Event
from persona_voice.persona.folder import data_folder
from persona_voice.persona.record import checked, event_in, event_text
from persona_voice.persona.store import Store

# Between two tries to reach a store that is out of reach, in seconds: the first, and the longest.
RETRY_S, LONGEST_RETRY_S = 0.5, 30.0
# Refusals that waiting does not mend: of an id that stands for another event, of a second birth.
FOR_GOOD = {"event_conflict", "already_born"}


class Diary:
    """Keeps events in the store, on a thread of its own. A context manager.

    `note` takes an event and returns at once. What the store cannot take now, since it is out of
    reach, full or busy, goes to `spool` and into the store later, by this process or by the next
    with the same spool: equal ids count once, so nothing is kept twice. `flush` says when all that
    was noted is in the store, and `close` puts all into the one or the other; before that, kill -9
    may lose what was just noted. Faults are counted and never raised.

    Parameters
    ----------
    where : str or Path, optional
        Of the store, as `Store` takes it. It is tried at once, and need not be there yet.
    spool : Path, optional
        A file that no other diary has at the same time; else ``diary.spool`` in the data folder.

    Raises
    ------
    SettingError
        ``unknown_store``, ``no_driver``: waiting does not mend these.
    """

    def __init__(self, where: str | Path | None = None, spool: Path | None = None) -> None:
        self._where = where
        self._spool = data_folder() / "diary.spool" if spool is None else spool
        self._changed = threading.Condition()
        self._new: list[Event] = []
        self._taken: list[Event] = []  # by the thread, and neither in the store nor in the spool
        self._num_spooled = self._strange = 0
        self._faults: Counter[str] = Counter()
        self._asked = self._answered = 0
        self._ending = False
        self._store = self._opened()
        self._thread = threading.Thread(target=self._run, name="persona diary", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        """Events that are known not to be in the store yet."""
        with self._changed:
            return len(self._new) + len(self._taken) + self._num_spooled

    @property
    def faults(self) -> dict[str, int]:
        """How often each thing went wrong: by the codes of `StoreError`; ``spool_failed`` for a spool that
        cannot be written or read, ``spool_damaged`` for one with lines that are no events, which is put
        aside as ``.damaged``."""
        with self._changed:
            return dict(self._faults)

    def note(self, event: Event) -> None:
        """Takes the event.

        Raises
        ------
        StoreError
            ``bad_event``.
        """
        event = checked(event)
        with self._changed:
            self._new.append(event)
            self._changed.notify_all()

    def flush(self, timeout_s: float | None = None) -> bool:
        """Tries at once to bring all into the store; whether all that was noted is there."""
        with self._changed:
            self._asked += 1
            wanted = self._asked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answered >= wanted, timeout_s)
        return self.waiting == 0

    def close(self) -> int:
        """Ends, with all in the store or in the spool; how many events are not in the store."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join()
        if self._store is not None:
            self._store.close()
        return self.waiting

    def _run(self) -> None:
        retry_s: float | None = 0.0  # whatever an earlier process has left
        while True:
            with self._changed:
                self._changed.wait_for(self._is_called, retry_s)
                asked = self._asked
                self._taken, self._new = self._taken + self._new, []
            done = self._keep()
            with self._changed:
                self._answered = asked
                self._changed.notify_all()
            if self._ending and not self._new:
                return
            retry_s = None if done else min(2 * (retry_s or RETRY_S / 2), LONGEST_RETRY_S)

    def _is_called(self) -> bool:
        return bool(self._new) or self._ending or self._asked > self._answered

    def _keep(self) -> bool:
        """What was taken, and what lies in the spool, into the store; else into the spool."""
        self._store = self._store or self._opened()
        if self._store is None or not self._appended(self._store, self._read_spool() + self._taken):
            self._put_by()
            return False
        self._settled(0)
        self._clear_spool()
        return True

    def _opened(self) -> Store | None:
        try:
            return Store(self._where)
        except StoreError as error:
            self._count(error.code)
            return None

    def _appended(self, store: Store, events: list[Event]) -> bool:
        try:
            store.append(events)
        except StoreError as error:
            if error.code not in FOR_GOOD:
                self._count(error.code)
                return False
            return all([self._appended_or_conflicting(store, event) for event in events])
        return True

    def _appended_or_conflicting(self, store: Store, event: Event) -> bool:
        """What is refused for good is left out, so that the others go in."""
        try:
            store.append([event])
        except StoreError as error:
            self._count(error.code)
            return error.code in FOR_GOOD
        return True

    def _read_spool(self) -> list[Event]:
        events, self._strange = [], 0
        try:
            lines = self._spool.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError:
            self._count("spool_failed")
            return []
        for line in filter(None, lines):
            try:
                events.append(event_in(line.decode()))
            except ValueError:
                self._strange += 1
        with self._changed:
            self._num_spooled = len(events)
        return events

    def _clear_spool(self) -> None:
        """Lines that are no event, a newer program's or half of one that a crash left, are put aside."""
        try:
            if self._strange:
                self._spool.replace(self._spool.with_suffix(".damaged"))
                self._count("spool_damaged")
            else:
                self._spool.unlink(missing_ok=True)
        except OSError:
            self._count("spool_failed")

    def _put_by(self) -> None:
        if not self._taken:
            return
        text = "".join(
            f"\n{event_text(event)}" for event in self._taken
        )  # a crash may have left half a line
        try:
            self._spool.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._spool, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with open(descriptor, "a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
        except OSError:
            self._count("spool_failed")
        else:
            self._settled(self._num_spooled + len(self._taken))

    def _settled(self, num_spooled: int) -> None:
        with self._changed:
            self._taken, self._num_spooled = [], num_spooled

    def _count(self, code: str) -> None:
        with self._changed:
            self._faults[code] += 1
