"""Ledgers for tests: made by a seed, some of them absurd."""

from functools import cache
from typing import Any

import numpy as np

from persona_voice.persona.event import OF_A_VOICE, VALUES, Event, Kind
from persona_voice.persona.limits import BUDGETS
from persona_voice.persona.state import MANNER
from persona_voice.persona.voice import DESIGN

DAY_S = 86_400
BIRTH_DAY = 20_000
# How often each kind is among the events of a day.
OFTEN = {
    Kind.DESIGNED: 0.02,
    Kind.NAMED: 0.05,
    Kind.CONVERSATION: 0.35,
    Kind.FEEDBACK: 0.46,
    Kind.UPGRADED: 0.04,
    Kind.ADOPTED: 0.03,
    Kind.REFUSED: 0.02,
    Kind.RETURNED: 0.03,
}
BACK = (Kind.RETURNED, Kind.REFUSED)
BORN = Event("born", "ada", BIRTH_DAY * DAY_S + 50_000.0, Kind.BORN, "", (("seed", 7),))
ABSURD = (0.0, -0.0, 1e300, -1e300, 5e-324, 1.7e308, 1.0, -1.0, 3)


def event(number: object, day: float, kind: Kind, listener: str = "", /, **values: Any) -> Event:
    told = tuple(sorted(values.items()))
    return Event(f"e{number}", "ada", (BIRTH_DAY + day) * DAY_S, kind, listener, told)


def feedback(number: object, day: float, listener: str, liked: int, **manner: float) -> Event:
    values = dict.fromkeys(MANNER, 0.0) | manner | {"liked": liked}
    return event(number, day, Kind.FEEDBACK, listener, **values)


def conversation(number: object, day: float, listener: str, **values: float) -> Event:
    usual = {"seconds": 300.0, "valence": 0.0, "arousal": 0.0}
    return event(number, day, Kind.CONVERSATION, listener, **(usual | values))


def likes_her_at(end: int, number: object, day: float, listener: str) -> Event:
    """The end of every budget for life: 0 the lower, 1 the upper."""
    manner = {name: budget.life[end] for name, budget in BUDGETS.items()}
    return feedback(number, day, listener, 1, **manner)


@cache
def any_ledger(seed: int, days: int, absurd: float = 0.2) -> tuple[Event, ...]:
    """Up to 80 events of every kind but forgetting, by up to 8 listeners, in any order."""
    rng = np.random.default_rng(seed)
    made = [BORN]
    for n in range(int(rng.integers(0, 80))):
        kind = rng.choice(list(OFTEN), p=list(OFTEN.values()))
        made.append(any_event(n, Kind(kind), rng, days, absurd))
    order = rng.permutation(len(made))
    return tuple(made[n] for n in order)


def any_event(number: int, kind: Kind, rng: np.random.Generator, days: int, absurd: float) -> Event:
    # Some before her birth, some after the last day.
    day = float(rng.uniform(-2, days + 5))
    if kind in BACK:
        day = float(rng.uniform(1, days))
        similarity = {"similarity": 0.5} if kind is Kind.REFUSED else {}
        back = BIRTH_DAY + int(rng.integers(-1, int(day)))
        return event(number, day, kind, day=back, **similarity)

    def number_of(_: str) -> float:
        if rng.random() < absurd:
            return ABSURD[int(rng.integers(len(ABSURD)))]
        return float(rng.normal(0, 0.5))

    values: dict[str, Any] = {name: number_of(name) for name in VALUES[kind]}
    if kind is Kind.FEEDBACK:
        values["liked"] = int(rng.choice([-1, 1]))
    if kind is Kind.NAMED:
        values = {"name": f"text {rng.integers(3)}"}
    if kind is Kind.ADOPTED:
        values["day"] = BIRTH_DAY + int(day)
    if kind in OF_A_VOICE:
        values |= {name: most * float(rng.uniform(-1, 1)) for name, most in DESIGN.items()}
        values["base" if kind is Kind.DESIGNED else "weights"] = f"text {rng.integers(3)}"
    return event(number, day, kind, f"listener {rng.integers(8)}", **values)
