"""Growth: how she becomes, day by day, what was liked and lived; always about her birth.

Each day, for each value of her manner, in parts of its budget for life:

    goal  = ½ · sum of all listeners' opinions / (listeners + 4)
    step  = (goal - where she is) / 128 + a little of her own, at most a day's budget
    where = where + step, at most 1 from birth

A listener's opinion is ¾ of where they like her to be and ¼ of how their conversations were, each
a mean that the newest day enters with an eighth; it lies within ±1. Everybody heard within a year
has one opinion, however often they speak. So, whatever else the ledger holds, k of n listeners
together move her by at most k/(n+4) for life as against their silence: a tenth of all, united, a
tenth of the budget; one of ten thousand a ten-thousandth; one who is her only one a tenth.

It is a mean because what moves it is bounded by the share of those who move it, for any opinions of
the others. A median or a trimmed mean does better where the others agree, and worse where they are
of two minds: there a tenth decides.

Nothing here is a float between reading and writing a state, and no library's random numbers: the same
events give the same state to the last bit, on every machine.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np

from persona_voice.errors import PersonaFileError
from persona_voice.persona.event import OF_A_VOICE, Event, Kind, check
from persona_voice.persona.ledger import ONE, Heard, Integers, day_of, read
from persona_voice.persona.limits import BUDGETS, life_used, within_life
from persona_voice.persona.state import MANNER, Manner, Opinion, PersonaState
from persona_voice.persona.voice import VOICE, Voice

Number = TypeVar("Number", int, Integers)

# Birth counts as much as all listeners together, and as four listeners more: where she has few.
BIRTH_LISTENERS = 4
# A day takes her 1/128 of the way: half of it in 89 days.
DAYS_TO_GOAL = 128
# The newest day's share of an opinion, and the seconds of talk that make a day a whole one.
DAYS_OF_OPINION = 8
WHOLE_DAY_S = 600
# So long an opinion counts when nothing more is heard. Then it is gone from the state.
REMEMBERED_DAYS = 365
# Of 32 parts of an opinion, 24 are what is liked, and at most 8 what is lived: for each value of the
# manner how it goes with valence and arousal. Signs: Juslin & Laukka (2003), Psychological Bulletin
# 129:770, table 11; breath less when aroused, more when at ease.
LIKED_PARTS, PARTS = 24, 32
LIVED_PARTS = {
    "register_semitones": (2, 6),
    "range_octaves": (2, 6),
    "rate_octaves": (2, 6),
    "level_db": (0, 8),
    "breath_db": (2, -6),
    "tilt_db": (0, 8),
}
# Her own: sums of four bytes of a hash, nearly normal, of standard deviation 147.8 and at most 510.
# That of a day is 0.0075 of the budget for life, and so of all days about 0.06: 0.0075 / √(2 / 128).
WANDER = round(0.0075 * ONE / 147.8)
# The larger side of a budget for life is what a day's budget is measured by: it holds on both.
DAY = tuple(
    int(b.day / max(-b.life[0], b.life[1]) * ONE) for b in (BUDGETS[name] for name in MANNER)
)


def born(persona: str, seed: int, at_s: float) -> PersonaState:
    """On the day of `at_s`, none of which she has lived yet."""
    day = day_of(at_s)
    return PersonaState(persona, seed, day, day - 1, "")


def birth(events: Iterable[Event]) -> PersonaState:
    """The state that her ledger starts from.

    Raises
    ------
    PersonaFileError
        ``no_birth`` if not exactly one event is of kind born, ``bad_event`` if that is damaged.
    """
    births = {event.id: event for event in events if event.kind is Kind.BORN}
    if len(births) != 1:
        message = f"a ledger must hold exactly one event of kind born, got {len(births)}"
        raise PersonaFileError(message, code="no_birth")
    (event,) = births.values()
    check(event)
    return born(event.persona, int(event.values[0][1]), event.at_s)


def evolve(state: PersonaState, events: Iterable[Event]) -> PersonaState:
    """One day's step: the day after the state's, in which the events happened."""
    return fold(events, state, state.day + 1)


def fold(events: Iterable[Event], state: PersonaState, day: int) -> PersonaState:
    """How she is at the end of `day`, given how she was and all events of the days since.

    In any order and any number of times each. Events after `day` wait for theirs. A refusal counts as
    a return. A state is
    everything that came before it: an event of its days that it does not know, a return to a day
    before it, and any listener to be forgotten need an older one, for the latter `birth`.

    Raises
    ------
    PersonaFileError
        ``needs_older_state``, with the latest ``day`` that will do; ``bad_event``,
        ``another_persona``.
    """
    return course(events, state, day)[1]


def course(
    events: Iterable[Event], state: PersonaState, day: int
) -> tuple[dict[int, Manner], PersonaState]:
    """What `fold` gives, and her manner at the end of each day on the way there."""
    if day < state.day:
        message = (
            f"day {day} needs a state of that day or before to start from, got one of {state.day}"
        )
        raise PersonaFileError(message, code="needs_older_state", day=day)
    ledger = read(events, state, day)
    growing = _Growing(state, ledger.heard)
    manners: dict[int, Manner] = {}
    kept: dict[int, tuple[list[int], Integers, Integers]] = {}
    wanted = set(ledger.returns.values())
    ends = np.searchsorted(ledger.heard.day, np.arange(state.day, day + 1), side="right")
    for n, today in enumerate(range(state.day, day + 1)):
        if n:
            growing.hear(today, slice(ends[n - 1], ends[n]))
            growing.step(today)
        if today in ledger.returns:
            growing.resume(*kept[ledger.returns[today]])
        if today in wanted:
            kept[today] = growing.copies()
        manners[today] = growing.manner()
    opinions = growing.opinions()
    state = replace(state, day=day, manner=manners[day], opinions=opinions)
    return manners, replace(state, **_told_by(ledger.last))


def adopted(event: Event) -> Manner:
    """The manner that an event of kind adopted tells of, within her budgets whatever it says."""
    values = dict(event.values)
    return within_life(Manner(**{name: float(values[name]) for name in MANNER}))


def _told_by(last: dict[Kind, Event]) -> dict[str, Any]:
    """Of a state's fields those that follow from the newest events alone."""
    told: dict[str, Any] = {}
    for event in sorted(last.values(), key=lambda event: (event.at_s, event.id)):
        values = dict(event.values)
        if event.kind is Kind.NAMED:
            told["name"] = values["name"]
        elif event.kind is Kind.ADOPTED:
            told["spoken"] = adopted(event)
            told["spoken_day"] = int(values["day"])
        elif event.kind in OF_A_VOICE:
            told["voice"] = Voice(**{name: float(values[name]) for name in VOICE})
            told["weights"] = values.get("weights", "")
        if event.kind is Kind.DESIGNED:
            told |= {"base": values["base"], "born_voice": told["voice"]}
    return told


class _Growing:
    """A state with its opinions in rows, while days go by."""

    def __init__(self, state: PersonaState, heard: Heard) -> None:
        self._heard, self._seed = heard, state.seed
        self._where = _parts(state.manner)
        self._liked = np.zeros((len(heard.listeners), len(MANNER)), np.int64)
        self._lived = np.zeros((len(heard.listeners), 2), np.int64)
        self._last = np.zeros(len(heard.listeners), np.int64)
        self._has_one = np.zeros(len(heard.listeners), bool)
        self._forget_on: dict[int, list[Integers]] = defaultdict(list)
        if state.opinions:
            self._take(state.opinions)
        self._sum_up()

    def hear(self, today: int, pairs: slice) -> None:
        """What each of today's listeners made of her, into their opinions."""
        self._drop_the_old(today)
        rows = self._heard.listener[pairs]
        if not len(rows):
            return
        self._add(rows, -1)
        likings, seconds = self._heard.likings[pairs, None], self._heard.seconds[pairs, None]
        liked, lived = self._liked[rows], self._lived[rows]
        away = (self._heard.liked[pairs] - liked) * (likings > 0)
        liked += _rounded(away, DAYS_OF_OPINION)
        away = (self._heard.lived[pairs] - lived) * np.minimum(seconds, WHOLE_DAY_S)
        lived += _rounded(away, WHOLE_DAY_S * DAYS_OF_OPINION)
        self._liked[rows], self._lived[rows] = liked, lived
        self._has_one[rows], self._last[rows] = True, today
        self._add(rows, 1)
        self._forget_on[today + REMEMBERED_DAYS].append(rows)

    def step(self, today: int) -> None:
        all_of_them = self._num + BIRTH_LISTENERS
        wander = _wander(self._seed, today)
        valence, arousal = self._lived_sum
        for n, name in enumerate(MANNER):
            with_valence, with_arousal = LIVED_PARTS[name]
            opinions = LIKED_PARTS * self._liked_sum[n]
            opinions += with_valence * valence + with_arousal * arousal
            goal = _rounded(opinions, 2 * PARTS * all_of_them)
            step = _rounded(goal - self._where[n], DAYS_TO_GOAL) + wander[n]
            where = self._where[n] + min(max(step, -DAY[n]), DAY[n])
            self._where[n] = min(max(where, -ONE), ONE)

    def copies(self) -> tuple[list[int], Integers, Integers]:
        return list(self._where), self._liked.copy(), self._lived.copy()

    def resume(self, where: list[int], liked: Integers, lived: Integers) -> None:
        """As `copies` gave them; who was heard when stays."""
        self._where = list(where)
        self._liked = liked * self._has_one[:, None]
        self._lived = lived * self._has_one[:, None]
        self._sum_up()

    def manner(self) -> Manner:
        return Manner(
            *(
                where / ONE * (budget.life[1] if where > 0 else -budget.life[0])
                for where, budget in zip(self._where, BUDGETS.values(), strict=True)
            )
        )

    def opinions(self) -> tuple[Opinion, ...]:
        rows = np.flatnonzero(self._has_one)
        columns = (self._last[rows], self._liked[rows], self._lived[rows])
        days, liked, lived = (column.tolist() for column in columns)
        listeners = [self._heard.listeners[row] for row in rows]
        return tuple(map(Opinion, listeners, days, map(tuple, liked), map(tuple, lived)))

    def _take(self, opinions: tuple[Opinion, ...]) -> None:
        place = {listener: n for n, listener in enumerate(self._heard.listeners)}
        rows = np.array([place[opinion.listener] for opinion in opinions])
        self._last[rows] = [opinion.day for opinion in opinions]
        self._liked[rows] = [opinion.liked for opinion in opinions]
        self._lived[rows] = [opinion.lived for opinion in opinions]
        self._has_one[rows] = True
        for day in np.unique(self._last[rows]).tolist():
            self._forget_on[day + REMEMBERED_DAYS].append(rows[self._last[rows] == day])

    def _drop_the_old(self, today: int) -> None:
        for rows in self._forget_on.pop(today, []):
            old = rows[self._last[rows] == today - REMEMBERED_DAYS]
            self._add(old, -1)
            self._liked[old], self._lived[old], self._has_one[old] = 0, 0, False

    def _add(self, rows: Integers, sign: int) -> None:
        """These rows to the sums over all: Python's integers, which do not run over."""
        self._num += sign * int(self._has_one[rows].sum())
        for n, change in enumerate(self._liked[rows].sum(0).tolist()):
            self._liked_sum[n] += sign * change
        for n, change in enumerate(self._lived[rows].sum(0).tolist()):
            self._lived_sum[n] += sign * change

    def _sum_up(self) -> None:
        self._num, self._liked_sum, self._lived_sum = 0, [0] * len(MANNER), [0, 0]
        self._add(np.flatnonzero(self._has_one), 1)


def _parts(manner: Manner) -> list[int]:
    """Of the budgets for life, in parts of `ONE`; exactly what `_Growing.manner` was made from."""
    shares = life_used(manner).values()
    return [round(max(-1.0, min(share, 1.0)) * ONE) for share in shares]


def _rounded(number: Number, divisor: int) -> Number:
    """The quotient to the nearest integer: what is always rounded down drifts down."""
    return (number + divisor // 2) // divisor


def _wander(seed: int, day: int) -> list[int]:
    bytes_of_day = blake2b(f"{seed} {day}".encode(), digest_size=4 * len(MANNER)).digest()
    fours = (bytes_of_day[n : n + 4] for n in range(0, len(bytes_of_day), 4))
    return [(sum(four) - 2 * 255) * WANDER for four in fours]
