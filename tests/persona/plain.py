"""Growth, slowly and plainly: dictionaries and Python's integers. What `fold` is checked against."""

from collections.abc import Sequence
from hashlib import blake2b

from ledgers import BACK

from persona_voice.persona.event import Event, Kind
from persona_voice.persona.limits import BUDGETS
from persona_voice.persona.state import MANNER, Manner

ONE = 2**24
LIVED = {"register": (2, 6), "range": (2, 6), "rate": (2, 6), "level": (0, 8), "breath": (2, -6)}
LIVED["tilt"] = (0, 8)


def part(share: float) -> int:
    return round(max(-1.0, min(share, 1.0)) * ONE)


def near(number: int, divisor: int) -> int:
    return (number + divisor // 2) // divisor


def share(name: str, value: float) -> float:
    low, high = BUDGETS[name].life
    return value / high if value > 0 else value / -low


def plain_manner(ledger: Sequence[Event], seed: int, born_day: int, last_day: int) -> Manner:
    every = sorted({e.id: e for e in ledger}.values(), key=lambda e: (e.at_s, e.id))

    def day_of(event: Event) -> int:
        return max(int(event.at_s // 86_400), born_day)

    every = [e for e in every if day_of(e) <= last_day]
    forgotten = {e.listener: e.at_s for e in every if e.kind is Kind.FORGOTTEN}
    told = [e for e in every if e.kind in BACK or e.at_s > forgotten.get(e.listener, -1e99)]
    where = [0] * 6
    opinions: dict[str, tuple[int, list[int], list[int]]] = {}
    lived = {born_day - 1: (where, opinions)}
    for day in range(born_day, last_day + 1):
        today = [e for e in told if day_of(e) == day]
        opinions = {w: o for w, o in opinions.items() if day - o[0] < 365}
        for who in {e.listener for e in today if e.kind in (Kind.FEEDBACK, Kind.CONVERSATION)}:
            old = opinions.get(who, (day, [0] * 6, [0] * 2))
            opinions[who] = heard(old, [e for e in today if e.listener == who], day)
        where = [one_step(n, where[n], list(opinions.values()), seed, day) for n in range(6)]
        for event in today:
            if event.kind in BACK:
                where, then = lived[int(event.values[0][1])]
                nothing = ([0] * 6, [0] * 2)
                opinions = {
                    w: (o[0], *(then[w][1:] if w in then else nothing)) for w, o in opinions.items()
                }
        lived[day] = (where, opinions)
    ends = [BUDGETS[name].life for name in MANNER]
    return Manner(*(w / ONE * (e[1] if w > 0 else -e[0]) for w, e in zip(where, ends, strict=True)))


def heard(
    old: tuple[int, list[int], list[int]], events: list[Event], day: int
) -> tuple[int, list[int], list[int]]:
    _, liked, lived = old
    feedback = [dict(e.values) for e in events if e.kind is Kind.FEEDBACK]
    if feedback:
        for n, name in enumerate(MANNER):
            votes = [part(share(name, f[name])) if f["liked"] == 1 else 0 for f in feedback]
            liked = [
                *liked[:n],
                liked[n] + near(sum(votes) // len(votes) - liked[n], 8),
                *liked[n + 1 :],
            ]
    talks = [dict(e.values) for e in events if e.kind is Kind.CONVERSATION]
    seconds = [round(max(0.0, min(t["seconds"], 86_400.0))) for t in talks]
    for n, name in enumerate(("valence", "arousal")):
        tones = [round(max(-1.0, min(t[name], 1.0)) * 65_536) for t in talks]
        mean = sum(t * s for t, s in zip(tones, seconds, strict=True)) // max(sum(seconds), 1) * 256
        step = near((mean - lived[n]) * min(sum(seconds), 600), 4_800)
        lived = [*lived[:n], lived[n] + step, *lived[n + 1 :]]
    return day, liked, lived


def one_step(
    n: int, where: int, opinions: list[tuple[int, list[int], list[int]]], seed: int, day: int
) -> int:
    name, budget = MANNER[n], BUDGETS[MANNER[n]]
    valence, arousal = LIVED[name.split("_")[0]]
    total = sum(24 * o[1][n] + valence * o[2][0] + arousal * o[2][1] for o in opinions)
    goal = near(total, 64 * (len(opinions) + 4))
    hashed = blake2b(f"{seed} {day}".encode(), digest_size=24).digest()
    own = (sum(hashed[4 * n : 4 * n + 4]) - 510) * 851
    most = int(budget.day / max(-budget.life[0], budget.life[1]) * ONE)
    step = max(-most, min(near(goal - where, 128) + own, most))
    return max(-ONE, min(where + step, ONE))
