"""Back to a day of her life: she is again as she then was, and speaks as she then spoke."""

import uuid
from dataclasses import asdict

from persona_voice.errors import PersonaFileError
from persona_voice.persona.event import Event, Kind
from persona_voice.persona.ledger import day_of
from persona_voice.persona.life import state_on
from persona_voice.persona.state import MANNER, PersonaState
from persona_voice.persona.store import Store


def return_to(kept: Store, persona: str, day: int, at_s: float) -> PersonaState:
    """Her state at the end of the day of `at_s` (seconds since 1970), once she has returned to how she
    was at the end of `day`.

    Raises
    ------
    PersonaFileError
        ``bad_return`` unless `day` is before today; ``not_born``, ``no_birth``.
    StoreError
    """
    today = day_of(at_s)
    if day >= today:
        message = f"the day returned to must be before today, {today}, got {day}"
        raise PersonaFileError(message, code="bad_return", day=day)
    then = state_on(kept, persona, day)
    returned = Event(uuid.uuid4().hex, persona, at_s, Kind.RETURNED, "", (("day", day),))
    kept.append([returned, _adopt(kept, then, at_s)])
    return state_on(kept, persona, today)


def _adopt(kept: Store, then: PersonaState, at_s: float) -> Event:
    """That she speaks as she spoke then: a manner that was heard to be herself before it was adopted,
    with the similarity that was measured for it. At birth she is herself."""
    day, similarity = then.spoken_day, 1.0
    adopted = [
        event
        for event in kept.events(then.persona)
        if event.kind is Kind.ADOPTED and day_of(event.at_s) <= then.day
    ]
    if adopted:  # in order of time, then id: as they are folded
        similarity = float(dict(adopted[-1].values)["similarity"])
    values = {
        **{name: asdict(then.spoken)[name] for name in MANNER},
        "day": then.born_day - 1 if day is None else day,
        "similarity": similarity,
    }
    pairs = tuple(sorted(values.items()))
    return Event(uuid.uuid4().hex, then.persona, at_s, Kind.ADOPTED, "", pairs)
