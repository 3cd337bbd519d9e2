"""Events as growth counts them: sums by listener and day, the same whatever their order was.

All sums are of integers. Sums of floats depend on their order, and their last digits on the machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress
from operator import attrgetter, is_

import numpy as np
import numpy.typing as npt

from persona_voice.errors import PersonaFileError
from persona_voice.persona.event import LONGEST_S, VALUES, Event, Kind, check
from persona_voice.persona.limits import BUDGETS
from persona_voice.persona.state import MANNER, PersonaState

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DAY_S = 86_400
# A budget for life in integers: fine enough that a day's step is thousands of them, coarse enough
# that a listener may like 2**38 times in a day before a sum of them runs over.
ONE = 1 << 24
# Of valence and arousal, which are weighted with up to 2**17 seconds an event before they are summed.
TONE = 1 << 16
LIFE = np.array([BUDGETS[name].life for name in MANNER])


@dataclass(frozen=True)
class Heard:
    """What each listener made of her on each day: ``pairs`` of the two, in order of day."""

    listeners: list[str]
    """In order, each once; with those whose opinion is in the state."""
    day: Integers
    """``[pairs]``"""
    listener: Integers
    """``[pairs]``, places in `listeners`."""
    likings: Integers
    """How often they liked or disliked, ``[pairs]``."""
    liked: Integers
    """Mean of where she then was: for a dislike birth. In parts of `ONE`, ``[pairs, manner]``."""
    seconds: Integers
    """That she spoke, ``[pairs]``."""
    lived: Integers
    """Mean valence and arousal, by seconds, in parts of `ONE`, ``[pairs, 2]``."""


@dataclass(frozen=True)
class Ledger:
    """What counts between a state and the end of a later day."""

    heard: Heard
    returns: dict[int, int]
    """Day of the return, or of the refusal, to the day returned to."""
    last: dict[Kind, Event]
    """Of each of the kinds that count as the newest says, the newest."""


def read(events: Iterable[Event], state: PersonaState, day: int) -> Ledger:
    """The events of the days after the state's, to the end of `day`; later ones wait.

    Raises
    ------
    PersonaFileError
        ``bad_event``, ``another_persona``, and ``needs_older_state``, with the latest ``day`` that
        the state may have.
    """
    found = _by_kind(_once(events, state))
    feedback = _told(found.pop(Kind.FEEDBACK), Kind.FEEDBACK, state, day)
    talks = _told(found.pop(Kind.CONVERSATION), Kind.CONVERSATION, state, day)
    rare = {kind: _rare(some, state, day) for kind, some in found.items()}
    forgotten = {event.listener: event.at_s for event in rare[Kind.FORGOTTEN]}
    if forgotten and state.day >= state.born_day:
        raise _needs_older_state("a listener to be forgotten", state.born_day - 1, state)
    for event in rare[Kind.BORN]:
        if event.values[0][1] != state.seed:
            message = f"event {event.id}: her seed must be {state.seed}, got {event.values[0][1]}"
            raise PersonaFileError(message, code="bad_event", id=event.id)
    last = {kind: some[-1] for kind, some in rare.items() if some}
    back = sorted((*rare[Kind.RETURNED], *rare[Kind.REFUSED]), key=attrgetter("at_s", "id"))
    returns = dict(_returned(event, state) for event in back)
    heard = _heard(feedback.without(forgotten), talks.without(forgotten), state)
    return Ledger(heard, returns, last)


def day_of(at_s: float) -> int:
    """Days since 1970, UTC."""
    return int(at_s // DAY_S)


def _once(events: Iterable[Event], state: PersonaState) -> list[Event]:
    # As they lie in memory: in any other order a million objects take three times as long to read.
    every = sorted(events, key=id)
    if len(set(map(attrgetter("id"), every))) < len(every):
        every = _without_repeats(every)
    if set(map(attrgetter("persona"), every)) - {state.persona}:
        other = next(event for event in every if event.persona != state.persona)
        message = f'event {other.id} must be of persona "{state.persona}", got "{other.persona}"'
        raise PersonaFileError(message, code="another_persona", id=other.id)
    return every


def _without_repeats(events: list[Event]) -> list[Event]:
    by_id = {event.id: event for event in events}
    for event in events:
        if event != by_id[event.id]:
            message = f"event {event.id} must be one event, got two that differ"
            raise PersonaFileError(message, code="bad_event", id=event.id)
    return list(by_id.values())


def _by_kind(events: list[Event]) -> dict[Kind, list[Event]]:
    kinds = list(map(attrgetter("kind"), events))
    found = {kind: list(compress(events, map(partial(is_, kind), kinds))) for kind in Kind}
    if sum(map(len, found.values())) < len(events):
        raise _refusal(events)
    return found


def _rare(events: list[Event], state: PersonaState, day: int) -> list[Event]:
    """Those that count by the end of `day`, in order of time."""
    for event in events:
        check(event)
    _, days = _times(events, state)
    counting = [event for event, its_day in zip(events, days, strict=True) if its_day <= day]
    return sorted(counting, key=lambda event: (event.at_s, event.id))


@dataclass(frozen=True)
class _Told:
    """Many events of one kind, in columns."""

    listener: list[str]
    at_s: Floats
    day: Integers
    values: Floats
    """``[events, values]``, in order of name."""

    def where(self, these: npt.NDArray[np.bool_]) -> "_Told":
        if these.all():
            return self
        listener = list(compress(self.listener, these))
        return _Told(listener, self.at_s[these], self.day[these], self.values[these])

    def without(self, forgotten: dict[str, float]) -> "_Told":
        """What was said after `forgotten` only, by those who are in it."""
        if not forgotten:
            return self
        since = np.array([forgotten.get(name, -np.inf) for name in self.listener])
        return self.where(self.at_s > since)


def _told(events: list[Event], kind: Kind, state: PersonaState, day: int) -> _Told:
    """Those that count by the end of `day`."""
    listener = list(map(attrgetter("listener"), events))
    told = _Told(listener, *_times(events, state), _values(events, kind))
    return told.where(told.day <= day)


def _times(events: list[Event], state: PersonaState) -> tuple[Floats, Integers]:
    """In seconds, and the days that each counts on: for what is dated before her birth, by a clock
    that was wrong, it is that of her birth."""
    at_s = _numbers(list(map(attrgetter("at_s"), events)))
    if at_s is None or (np.abs(at_s) > LONGEST_S).any():
        raise _refusal(events)
    days = np.maximum(at_s // DAY_S, state.born_day).astype(np.int64)
    if len(days) and days.min() <= state.day:
        what = f"event {events[int(days.argmin())].id}"
        raise _needs_older_state(what, int(days.min()) - 1, state)
    return at_s, days


def _values(events: list[Event], kind: Kind) -> Floats:
    """``[events, values]``. What `check` does, for many at once."""
    names, values = VALUES[kind], list(map(attrgetter("values"), events))
    flat = list(chain.from_iterable(chain.from_iterable(values)))
    if set(map(len, values)) - {len(names)} or flat[0::2] != [*names] * len(events):
        raise _refusal(events)
    numbers = _numbers(flat[1::2])
    if numbers is None:
        raise _refusal(events)
    table = numbers.reshape(-1, len(names))
    if kind is Kind.FEEDBACK and (np.abs(table[:, names.index("liked")]) != 1).any():
        raise _refusal(events)
    return table


def _numbers(values: list[float | str]) -> Floats | None:
    """None if one of them is not a finite number."""
    numbers = np.array(values) if values else np.zeros(0)
    if numbers.dtype.kind not in "bfi" or not np.isfinite(numbers).all():
        return None
    return numbers.astype(np.float64)


def _refusal(events: list[Event]) -> PersonaFileError:
    """What `check` says of the first that it refuses."""
    for event in events:
        try:
            check(event)
        except PersonaFileError as error:
            return error
    raise AssertionError("check refuses what the checks of many at once refuse")


def _needs_older_state(what: str, day: int, state: PersonaState) -> PersonaFileError:
    message = f"{what} needs a state of day {day} or before to start from, got one of {state.day}"
    return PersonaFileError(message, code="needs_older_state", day=day)


def _returned(event: Event, state: PersonaState) -> tuple[int, int]:
    """The day of a return and that returned to."""
    (today,), day = _times([event], state)[1].tolist(), int(event.values[0][1])
    if not state.born_day - 1 <= day < today:
        first = state.born_day - 1
        message = f"event {event.id}: the day returned to must lie in {first}..{today}, got {day}"
        raise PersonaFileError(message, code="bad_event", id=event.id)
    if day < state.day:
        raise _needs_older_state(f"event {event.id}", day, state)
    return today, day


def _heard(feedback: _Told, talks: _Told, state: PersonaState) -> Heard:
    by = feedback.listener + talks.listener
    listeners = sorted({*by, *(opinion.listener for opinion in state.opinions)})
    place = dict(zip(listeners, range(len(listeners)), strict=True))
    # Day and listener in one number: days are few enough that it does not run over.
    stride = max(len(listeners), 1)
    key = np.concatenate([feedback.day, talks.day]) * stride
    key += np.array([place[name] for name in by], dtype=np.int64)
    pairs, which = np.unique(key, return_inverse=True)

    def summed(of: slice, values: Integers) -> Integers:
        sums = np.zeros((len(pairs), *values.shape[1:]), np.int64)
        np.add.at(sums, which[of], values)
        return sums

    of_feedback = slice(0, len(feedback.day))
    of_talks = slice(len(feedback.day), None)
    likings = summed(of_feedback, np.ones(len(feedback.day), np.int64))
    liked = summed(of_feedback, _liked(feedback.values))
    talked_s, tone = _seconds_and_tone(talks.values)
    seconds = summed(of_talks, talked_s)
    lived = summed(of_talks, tone * talked_s[:, None])
    return Heard(
        listeners,
        pairs // stride,
        pairs % stride,
        likings,
        liked // np.maximum(likings, 1)[:, None],
        seconds,
        lived // np.maximum(seconds, 1)[:, None] * (ONE // TONE),
    )


def _liked(values: Floats) -> Integers:
    """Where each liked her to be, ``[events, manner]``: within her budgets for life, wherever she
    was when she was liked; at birth, if she was not."""
    names = VALUES[Kind.FEEDBACK]
    manner = np.clip(values[:, [names.index(name) for name in MANNER]], LIFE[:, 0], LIFE[:, 1])
    shares = np.where(manner > 0, manner / LIFE[:, 1], manner / -LIFE[:, 0])
    likes = values[:, names.index("liked")] > 0
    where = np.rint(shares * ONE).astype(np.int64)
    return np.asarray(where * likes[:, None])


def _seconds_and_tone(values: Floats) -> tuple[Integers, Integers]:
    """``[events]`` and, valence and arousal, ``[events, 2]`` in parts of `TONE`."""
    names = VALUES[Kind.CONVERSATION]
    seconds = np.rint(np.clip(values[:, names.index("seconds")], 0, DAY_S)).astype(np.int64)
    tone = values[:, [names.index("valence"), names.index("arousal")]]
    return seconds, np.rint(np.clip(tone, -1, 1) * TONE).astype(np.int64)
