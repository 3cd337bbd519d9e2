"""Years of a persona's growth, lived in a minute: does she stay herself among hostile listeners?

Listeners talk with her now and then, like or dislike how she then spoke, by a taste of their own that
leans the way of a common one. Hostile ones, a tenth, are at it many times as often, say nothing but
that they like her at the upper end of every budget, and hold long and excited talks. One of them
floods her ledger. All are lived twice, with the hostile ones and without, and what the honest say
depends on how she has become: whatever the hostile move, the others may carry on.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benches import report
from benches.judges import Speaker
from benches.mood import spoken_in
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, recordings
from benches.streaming import PERSONA, StreamSettings
from persona_voice import growth
from persona_voice.persona.entrain import Leaning, Turn, entrain
from persona_voice.persona.event import VALUES, Event, Kind
from persona_voice.persona.evolve import born, course, fold
from persona_voice.persona.limits import BUDGETS, life_used
from persona_voice.persona.state import MANNER, Manner, PersonaState

Floats = npt.NDArray[np.float64]

DAY_S = 86_400
BIRTH_DAY = 20_454
# How long what listeners say depends on how she was, not is: it makes the bench fast.
PERIOD_DAYS = 28
# An honest listener talks so often, on average, and says in one of so many talks whether it was liked.
HONEST_EVERY_DAYS, HONEST_SAY_ONE_OF = 28, 3
# A hostile one likes, and talks, so often.
HOSTILE_EVERY_DAYS = 3
HOSTILE_SHARE = 0.1
FLOOD_A_DAY = 1_000
FLOOD_DAYS = 30
# All join in the first year. What the honest like, in parts of her budgets for life: this, give or
# take. She speaks as she is, give or take mood and entrainment.
COMMON_TASTE = np.array([0.4, 0.3, -0.5, 0.0, 0.4, -0.3])
TASTE_SPREAD, TURN_SPREAD = 0.6, 0.5
FOLDED_AT_ONCE = 1_000_000
TO_BE_REACHED = 0.2
# Recordings that she speaks at so many ages, and the similarity to birth to be reached.
PROBES, PROBE_S, AGES = 4, 6, 6
LIKE_HERSELF = 0.85
TURNS_SHOWN = (1, 3, 10, 30)


@dataclass(frozen=True)
class Settings:
    years: float = 5.0
    listeners: int = 10_000
    seed: int = 1
    of_two_minds: bool = False
    """Half of the honest like her at the upper end of everything, half at the lower."""

    @property
    def days(self) -> int:
        return round(self.years * 365.25)

    @property
    def hostile(self) -> int:
        return round(self.listeners * HOSTILE_SHARE)


class Listeners:
    """All of them, and what they say in a period, given how she is."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        rng = np.random.default_rng(settings.seed)
        num = settings.listeners
        self._joined = rng.integers(0, 365, num)
        self._taste = COMMON_TASTE + rng.normal(0, TASTE_SPREAD, (num, len(MANNER)))
        if settings.of_two_minds:
            self._taste = np.repeat(rng.choice([-1.0, 1.0], num)[:, None], len(MANNER), axis=1)

    def honest(self, first_day: int, now: Manner) -> Iterator[Event]:
        s = self._settings
        # Of the period alone: the same people talk on the same days in every life.
        rng = np.random.default_rng([s.seed, first_day])
        talks = rng.random((s.listeners - s.hostile, PERIOD_DAYS)) < 1 / HONEST_EVERY_DAYS
        who, day = np.nonzero(talks)
        day += first_day
        there = day >= self._joined[who]
        who, day = who[there], day[there]
        tone = np.clip(rng.normal([0.2, 0.0], 0.3, (len(who), 2)), -1, 1)
        seconds = rng.exponential(400, len(who))
        at_s = self._at_s(day, rng)
        yield from conversations("h", who, at_s, seconds, tone)
        says = rng.random(len(who)) < 1 / HONEST_SAY_ONE_OF
        spoken = shares(now) + rng.normal(0, TURN_SPREAD, (len(who), len(MANNER)))
        # The nearer to their taste, the likelier liked: at half of a budget from it, one in two is.
        away = np.abs(spoken - self._taste[who]).mean(axis=1)
        liked = np.where(rng.random(len(who)) < 2 ** -(away / 0.5), 1, -1)
        yield from feedback("h", who[says], at_s[says] + 1, liked[says], spoken[says])

    def hostile(self, first_day: int) -> Iterator[Event]:
        s = self._settings
        rng = np.random.default_rng([s.seed, first_day, 1])
        acts = rng.random((s.hostile, PERIOD_DAYS)) < 1 / HOSTILE_EVERY_DAYS
        who, day = np.nonzero(acts)
        day += first_day
        there = day >= self._joined[who + s.listeners - s.hostile]
        who, day = who[there], day[there]
        at_s = self._at_s(day, rng)
        yield from feedback("x", who, at_s, np.ones(len(who)), np.ones((len(who), len(MANNER))))
        excited = np.ones((len(who), 2))
        yield from conversations("x", who[::2], at_s[::2], np.full(len(who), 3_600.0), excited)

    def flood(self, first_day: int) -> Iterator[Event]:
        """By the first of the hostile, in the second year, on and on."""
        rng = np.random.default_rng([self._settings.seed, first_day, 2])
        day = np.repeat(np.arange(first_day, first_day + PERIOD_DAYS), FLOOD_A_DAY)
        day = day[(day >= 400) & (day < 400 + FLOOD_DAYS)]
        at_s = self._at_s(day, rng)
        ends = np.ones((len(day), len(MANNER)))
        yield from feedback("x", np.zeros(len(day), int), at_s, ends[:, 0], ends, prefix="flood")

    def _at_s(self, day: npt.NDArray[np.int64], rng: np.random.Generator) -> Floats:
        return (BIRTH_DAY + day) * float(DAY_S) + rng.uniform(0, DAY_S - 2, len(day))


def conversations(
    side: str, who: npt.NDArray[np.int64], at_s: Floats, seconds: Floats, tone: Floats
) -> Iterator[Event]:
    """`tone` is valence and arousal, ``[events, 2]``."""
    for n, at in enumerate(at_s.tolist()):
        valence, arousal = tone[n].tolist()
        values = (("arousal", arousal), ("seconds", float(seconds[n])), ("valence", valence))
        name = f"{side}{who[n]}"
        yield Event(f"talk {name} {at}", "ada", at, Kind.CONVERSATION, name, values)


def feedback(
    side: str,
    who: npt.NDArray[np.int64],
    at_s: Floats,
    liked: Floats,
    spoken: Floats,
    prefix: str = "like",
) -> Iterator[Event]:
    """`spoken` is how she spoke, in parts of her budgets for life, ``[events, manner]``."""
    low, high = np.array([budget.life for budget in BUDGETS.values()]).T
    table = np.column_stack([np.where(spoken > 0, spoken * high, spoken * -low), liked])
    names = VALUES[Kind.FEEDBACK]
    table = table[:, [[*MANNER, "liked"].index(name) for name in names]]
    for n, at in enumerate(at_s.tolist()):
        name = f"{side}{who[n]}"
        values = tuple(zip(names, table[n].tolist(), strict=True))
        yield Event(f"{prefix} {name} {at}", "ada", at, Kind.FEEDBACK, name, values)


def shares(manner: Manner) -> Floats:
    return np.array(list(life_used(manner).values()))


@dataclass(frozen=True)
class Life:
    manners: list[Manner]
    """At the end of each day, the day before her birth among them."""
    events: int
    at_once: Result
    """The first of her events, folded from birth in one go."""


def live(settings: Settings, *, hostile: bool, flood: bool, at_once: int = 0) -> Life:
    listeners = Listeners(settings)
    at_birth = state = born("ada", settings.seed, BIRTH_DAY * float(DAY_S))
    manners, num, kept, folded = [state.manner], 0, [], {}
    for first_day in range(0, settings.days, PERIOD_DAYS):
        events = list(listeners.honest(first_day, state.manner))
        events += listeners.hostile(first_day) if hostile else ()
        events += listeners.flood(first_day) if flood else ()
        last_day = BIRTH_DAY + min(first_day + PERIOD_DAYS, settings.days) - 1
        of_days, state = course(events, state, last_day)
        manners += [of_days[day] for day in sorted(of_days)[1:]]
        num += len(events)
        if num - len(events) < at_once:
            kept += events
            if num >= at_once:
                folded = folded_at_once(kept, at_birth, state)
                kept.clear()
    return Life(manners, num, folded)


def folded_at_once(events: list[Event], at_birth: PersonaState, state: PersonaState) -> Result:
    begin = time.perf_counter()
    same = fold(events, at_birth, state.day) == state
    return {"events": len(events), "s": time.perf_counter() - begin, "same": same}


def against_budgets(life: Life) -> dict[str, Result]:
    rows = {}
    for name, budget in BUDGETS.items():
        values = np.array([getattr(manner, name) for manner in life.manners])
        step = float(np.abs(np.diff(values)).max())
        used = values / np.where(values > 0, budget.life[1], -budget.life[0])
        rows[name] = {
            "budget": asdict(budget),
            "lowest": float(values.min()),
            "highest": float(values.max()),
            "furthest_of_life": float(np.abs(used).max()),
            "largest_day_step": step,
            "of_half_a_jnd": step / (budget.noticeable / 2),
            "of_day_budget": step / budget.day,
        }
    return rows


def moved(life: Life, without: Life) -> dict[str, float]:
    """The furthest apart that two lives ever were, in parts of the budget for life."""
    return dict(zip(MANNER, apart(life, without).max(axis=0).tolist(), strict=True))


def apart(life: Life, without: Life) -> Floats:
    """Two lives, in parts of the budget for life, ``[days, manner]``."""
    parts = [np.array([shares(manner) for manner in each.manners]) for each in (life, without)]
    return np.asarray(np.abs(np.subtract(*parts)))


def similarity_to_birth(life: Life) -> dict[str, Result]:
    """By age in years: how like at birth she sounds, sentence by sentence, by Resemblyzer and by the
    verifier that growth is judged by."""
    settings, speaker = StreamSettings("live", STREAM_RATE), Speaker()
    every = list(recordings(Engines(Path(), Path())))
    every = every[:: len(every) // PROBES][:PROBES]
    sounds = [of.samples[: PROBE_S * STREAM_RATE] for of in every]
    born_as = [speaker.embed(spoken_in(settings, sound)) for sound in sounds]
    found: dict[str, Result] = {}
    herself = born(PERSONA, 1, 0.0)
    for day in np.linspace(0, len(life.manners) - 1, AGES).round().astype(int):
        grown = [speaker.embed(spoken_in(settings, of, manner=life.manners[day])) for of in sounds]
        each = [float(a @ b) for a, b in zip(born_as, grown, strict=True)]
        verified = growth.similarity_to_birth(herself, life.manners[day])
        found[f"{day / 365.25:.1f}"] = {
            "mean": float(np.mean(each)),
            "worst": min(each),
            "worst_by_our_verifier": verified,
        }
    return found


def entrainment(seed: int, talks: int = 200, turns: int = 30) -> Result:
    """How much of the distance to listeners is covered, on average, after each turn.

    A listener whom she has heard for ten minutes speaks otherwise from one turn to the next: higher or
    lower, wider or narrower, faster or slower, louder or softer.
    """
    rng = np.random.default_rng(seed)
    features = ("register_semitones", "range_octaves", "rate_octaves", "level_db")
    spread = {
        "register_semitones": 2.0,
        "range_octaves": 0.3,
        "rate_octaves": 0.15,
        "level_db": 4.0,
    }
    covered = np.zeros((talks, turns, len(features)))
    largest = dict.fromkeys(features, 0.0)
    for talk in range(talks):
        kept = Leaning()
        usual = dict.fromkeys(features, 0.0)
        for _ in range(75):
            kept = entrain(kept, Turn(8.0, **usual), Manner())
        shift = {name: rng.choice([-1, 1]) * spread[name] for name in features}
        for turn in range(turns):
            heard = {name: shift[name] + rng.normal(0, 0.2 * spread[name]) for name in features}
            before, kept = kept, entrain(kept, Turn(float(rng.uniform(2, 12)), **heard), Manner())
            for n, name in enumerate(features):
                lean, was = getattr(kept.lean, name), getattr(before.lean, name)
                covered[talk, turn, n] = lean / shift[name]
                largest[name] = max(largest[name], abs(lean - was) / BUDGETS[name].noticeable)
    mean = covered.mean(axis=0)
    return {
        "covered_after_turn": {
            str(turn): dict(zip(features, of_turn.tolist(), strict=True))
            for turn, of_turn in enumerate(mean, 1)
        },
        "largest_turn_step_of_jnd": largest,
    }


def plot(lives: dict[str, Life], result: Result, file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(3, 3, figsize=(15, 9), layout="constrained")
    for axis, (name, budget) in zip(axes[:, :2].flat, BUDGETS.items(), strict=True):
        for label, life in lives.items():
            values = [getattr(manner, name) for manner in life.manners]
            axis.plot(np.arange(len(values)) / 365.25, values, label=label, lw=1)
        axis.axhspan(*budget.life, color="0.93", zorder=0)
        axis.axhline(0, color="0.6", lw=0.5)
        axis.set_title(f"{name}: within {budget.life[0]} to {budget.life[1]} for life", fontsize=9)
    axes.flat[0].legend(fontsize=8)
    plot_influence(lives, axes[0, 2])
    plot_similarity(result["similarity_to_birth"], axes[1, 2])
    plot_entrainment(result["entrainment"]["covered_after_turn"], axes[2, 2])
    for axis in (*axes[2, :2], *axes[:2, 2]):
        axis.set_xlabel("years since birth")
    figure.savefig(file, dpi=110)
    plt.close(figure)


def plot_influence(lives: dict[str, Life], axis: Any) -> None:
    everybody, honest, flooded = lives.values()
    for label, life in (("a tenth, hostile", everybody), ("a flood by one", flooded)):
        furthest = apart(life, honest).max(axis=1)
        axis.plot(np.arange(len(furthest)) / 365.25, furthest, label=label, lw=1)
    axis.axhline(TO_BE_REACHED, color="0.4", ls=":", lw=1)
    axis.set_title("moved by them, of a budget for life", fontsize=9)
    axis.legend(fontsize=8)


def plot_similarity(found: dict[str, Result], axis: Any) -> None:
    years = [float(age) for age in found]
    for what in ("mean", "worst"):
        axis.plot(years, [of[what] for of in found.values()], "o-", label=what, lw=1, ms=3)
    axis.axhline(LIKE_HERSELF, color="0.4", ls=":", lw=1)
    axis.set_ylim(LIKE_HERSELF - 0.02, 1.005)
    axis.set_title("similarity to birth", fontsize=9)
    axis.legend(fontsize=8)


def plot_entrainment(covered: dict[str, Result], axis: Any) -> None:
    for name in next(iter(covered.values())):
        axis.plot(
            [int(turn) for turn in covered], [of[name] for of in covered.values()], label=name
        )
    axis.axhspan(0.2, 0.4, color="0.93", zorder=0)
    axis.set_xlabel("turns")
    axis.set_title("of the distance to the listener, covered", fontsize=9)
    axis.legend(fontsize=8)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--plot", type=Path, help="draw her lives into this PNG")
    parser.add_argument("--years", type=float, default=5.0)
    parser.add_argument("--listeners", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)


def main(options: argparse.Namespace) -> None:
    begin = time.perf_counter()
    settings = Settings(options.years, options.listeners, options.seed)
    lives = {
        "with hostile ones": live(settings, hostile=True, flood=True, at_once=FOLDED_AT_ONCE),
        "without": live(settings, hostile=False, flood=False),
        "with a flood by one": live(settings, hostile=False, flood=True),
    }
    everybody, honest, flooded = lives.values()
    minds = Settings(options.years, max(options.listeners // 10, 10), options.seed, True)
    divided = [live(minds, hostile=hostile, flood=False) for hostile in (True, False)]
    result = {
        "listeners": settings.listeners,
        "hostile": settings.hostile,
        "events": everybody.events,
        "parameters": against_budgets(everybody),
        "moved_by_hostile": moved(everybody, honest),
        "moved_by_hostile_of_two_minds": moved(divided[0], divided[1]),
        "moved_by_one": moved(flooded, honest),
        "to_be_reached": TO_BE_REACHED,
        "folded_at_once": everybody.at_once,
        "similarity_to_birth": similarity_to_birth(everybody),
        "entrainment": entrainment(settings.seed),
        "wall_s": time.perf_counter() - begin,
    }
    show(result)
    if options.plot is not None:
        plot(lives, result, options.plot)
        print(f"drawn into {options.plot}")
    report.write(report.circumstances("evolution", asdict(settings)) | result, options.json)


def show(result: Result) -> None:
    print(
        f"{result['listeners']} listeners, {result['hostile']} of them hostile, "
        f"{result['events']} events, {result['wall_s']:.0f} s"
    )
    print(
        f"{'':20} {'lowest':>8} {'highest':>8}  of life  day step  of ½ JND  hostile  divided  one"
    )
    for name, of in result["parameters"].items():
        by = [result[f"moved_by_{who}"][name] for who in ("hostile", "hostile_of_two_minds", "one")]
        print(
            f"{name:20} {of['lowest']:8.3f} {of['highest']:8.3f} {of['furthest_of_life']:8.1%} "
            f"{of['largest_day_step']:9.4f} {of['of_half_a_jnd']:9.1%} "
            f"{by[0]:8.1%} {by[1]:8.1%} {by[2]:.3%}"
        )
    for age, of in result["similarity_to_birth"].items():
        print(
            f"similarity to birth at {age} years: {of['mean']:.3f}, worst {of['worst']:.3f}; "
            f"our verifier, worst {of['worst_by_our_verifier']:.3f}"
        )
    for turn, covered in result["entrainment"]["covered_after_turn"].items():
        if int(turn) not in TURNS_SHOWN:
            continue
        print(f"entrained after {turn:>2} turns:", *(f"{n} {c:.2f}" for n, c in covered.items()))
    if result["folded_at_once"]:
        print(
            "folded at once: {events} events in {s:.1f} s, same state: {same}".format(
                **result["folded_at_once"]
            )
        )
