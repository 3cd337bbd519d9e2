"""The picture of a timelapse: every value of her manner over time, and its budgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from persona_voice.cli.picture import PERSONA_COLOUR, SOURCE_COLOUR, save
from persona_voice.persona.limits import BUDGETS, Budget
from persona_voice.persona.state import Manner

BUDGET_COLOUR = "#dfe7df"
UNITS = {
    "register_semitones": "semitones",
    "range_octaves": "octaves",
    "rate_octaves": "octaves",
    "level_db": "dB",
    "breath_db": "dB",
    "tilt_db": "dB an octave",
}


@dataclass(frozen=True)
class Life:
    """Her manner by age, in days."""

    name: str
    grown: Sequence[tuple[int, Manner]]
    """At the end of each day."""
    spoken: Sequence[tuple[int, Manner]]
    """From each age on, the first one birth."""
    ages: Sequence[int]
    """That are heard."""


def draw(life: Life, path: Path) -> None:
    """Writes a PNG; ImportError without matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6.5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 3, sharex=True).flatten()
    for (name, budget), axes in zip(BUDGETS.items(), panels, strict=True):
        _panel(axes, life, name, budget)
    for axes in panels[3:]:
        axes.set_xlabel("age in days")
    # Names are others' words: a dollar in one begins no formula.
    figure.suptitle(f"{life.name}: her manner, against her birth".replace("$", r"\$"))
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9
    )
    save(figure, path)


def _panel(axes: Any, life: Life, name: str, budget: Budget) -> None:
    last = max(life.grown[-1][0], 1)
    axes.axhspan(*budget.life, color=BUDGET_COLOUR, label="budget for life")
    axes.axhline(0, color="black", linewidth=0.5)
    days, manners = zip(*life.grown, strict=True)
    values = [getattr(manner, name) for manner in manners]
    axes.plot(days, values, color=SOURCE_COLOUR, linewidth=1.2, label="grown")
    since = [*life.spoken, (last, life.spoken[-1][1])]
    axes.step(
        [age for age, _ in since],
        [getattr(manner, name) for _, manner in since],
        where="post",
        color=PERSONA_COLOUR,
        linewidth=2,
        label="as she speaks",
    )
    for n, age in enumerate(life.ages):
        axes.axvline(age, color="black", linewidth=0.7, linestyle=":", label="" if n else "heard")
    axes.set_xlim(min(days[0], 0), last)
    axes.set_ylim(1.15 * budget.life[0], 1.15 * budget.life[1])
    axes.set_title(name.rsplit("_", 1)[0], fontsize=11)
    axes.set_ylabel(UNITS[name], fontsize=9)
    axes.tick_params(labelsize=8)
