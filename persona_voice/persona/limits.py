"""How far she may go from her birth: within a turn, in a day, for life."""

from dataclasses import dataclass, fields, replace

from persona_voice.persona.state import Manner


@dataclass(frozen=True, slots=True)
class Budget:
    """Of one value of her `Manner`, in its unit, as against birth and not as against yesterday."""

    turn: tuple[float, float]
    """Where it may be while she speaks: growth, entrainment and mood together."""
    day: float
    """How far growth may take it in a day."""
    life: tuple[float, float]
    """Where growth may take it, ever."""
    noticeable: float
    """The smallest difference that listeners hear. A day is at most half of it."""


# Factors stand as decimals of log2, rounded inwards: a logarithm is not the same on every machine.
BUDGETS: dict[str, Budget] = {
    # Persons differ by ±1 st from day to day (Garrett & Healey 1987). 1.95 st: Gaudrain & Başkent
    # (2018), Ear Hear 39:226, syllables. Of whole sentences the strictest figure is 3.2 Hz, 0.27 st
    # of 200 Hz (Harris & Umeda 1987): a day lies below half of that, too.
    "register_semitones": Budget((-1.5, 1.5), 0.1, (-1.0, 1.0), 1.95),
    # ×0.7 to 1.4, 1 %, ×0.85 to 1.2. 't Hart (1981), JASA 69:811: 1.5 st of a movement's size, by
    # those who hear sizes at all; of an octave, her widest, a factor of 1.125.
    "range_octaves": Budget((-0.514, 0.485), 0.014, (-0.234, 0.263), 0.169),
    # ±10 %, 0.5 %, ±8 %. 5 %: Quené (2007), J Phonetics 35:353.
    "rate_octaves": Budget((-0.152, 0.137), 0.007, (-0.120, 0.111), 0.070),
    # Persons: ±2 dB from day to day. 1 dB: Jesteadt, Wier & Green (1977), 0.5 to 1.5 dB of tones.
    "level_db": Budget((-3.0, 3.0), 0.1, (-1.0, 1.0), 1.0),
    # 3.18 dB of H1-H2: Kreiman & Gerratt (2010), doi 10.1121/1.3478784.
    "breath_db": Budget((-3.0, 3.0), 0.1, (-2.0, 2.0), 3.18),
    # No figure found for tilt. Chosen so that 125 Hz and 2 kHz, two octaves from the hinge, move
    # no further than the level of everything may, and are heard to move when the level is.
    "tilt_db": Budget((-1.5, 1.5), 0.05, (-0.5, 0.5), 0.5),
}

# The smallest difference that listeners hear, of every value of her manner and of her voice. Of a
# tract's length 4 to 6 %: Ives, Smith & Patterson (2005), JASA 118:3816, syllables.
NOTICEABLE = {name: budget.noticeable for name, budget in BUDGETS.items()} | {"tract_octaves": 0.07}


def within_turn(manner: Manner) -> Manner:
    """The nearest that she may speak in: what growth, entrainment and mood add up to goes through."""
    return replace(manner, **{n: _within(getattr(manner, n), b.turn) for n, b in BUDGETS.items()})


def on_top(lasting: Manner, more: Manner) -> Manner:
    """What of a mood she shows over a lasting manner: the two together stay within a turn.

    A lasting manner that is beyond one by itself is left there.
    """
    shown = {}
    for name, budget in BUDGETS.items():
        room = tuple(limit - getattr(lasting, name) for limit in budget.turn)
        shown[name] = _within(getattr(more, name), (min(room[0], 0.0), max(room[1], 0.0)))
    return replace(more, **shown)


def within_life(manner: Manner) -> Manner:
    """The nearest that she may grow to."""
    return replace(manner, **{n: _within(getattr(manner, n), b.life) for n, b in BUDGETS.items()})


def life_used(manner: Manner) -> dict[str, float]:
    """Where each value is in its budget for life: 0 at birth, -1 and 1 at the ends."""
    values = {f.name: getattr(manner, f.name) for f in fields(manner)}
    return {n: v / abs(BUDGETS[n].life[v > 0]) for n, v in values.items()}


def _within(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])
