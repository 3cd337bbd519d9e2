"""Moods, measured: what each changes in the recordings' converted speech, against its table.

All recordings are converted once neutral and once in each mood, and the differences are averaged;
and once at the ends of all budgets for life, where she must still be herself.
"""

import argparse
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.signal

from benches import report
from benches.conditions import active_power
from benches.judges import F0_FRAME_MS, F0_RATE, Speaker, dnsmos, f0_contour
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, Samples, at_rate, recordings
from benches.streaming import StreamSettings, run
from persona_voice.persona.limits import BUDGETS
from persona_voice.persona.mood import MOODS
from persona_voice.persona.state import Manner

NEUTRAL = Manner()
# Of each recording; the first words are enough to tell.
SECONDS = 10
# Half octaves over which the tilt is a straight line.
TILT_HZ = 125 * 2 ** np.arange(0, 6.01, 0.5)
# Where breath is heard in vowels, and the aperiodicity of D4C is steady.
BREATH_HZ = (2000, 4000)
# What the core takes at most: a sixteenth of the noise.
NO_BREATH_DB = -24.0

# As far from birth as growth may ever take her: everything up, everything down, and a mixture.
LIFE = {name: budget.life for name, budget in BUDGETS.items()}
ENDS = {
    "upper ends": Manner(**{name: up for name, (_, up) in LIFE.items()}),
    "lower ends": Manner(**{name: down for name, (down, _) in LIFE.items()}),
    "low, with breath": Manner(
        register_semitones=LIFE["register_semitones"][0],
        range_octaves=LIFE["range_octaves"][0],
        breath_db=LIFE["breath_db"][1],
        tilt_db=LIFE["tilt_db"][0],
    ),
}

Measures = dict[str, float]


def spoken_in(
    settings: StreamSettings, samples: Samples, mood: str = "neutral", manner: Manner = NEUTRAL
) -> Samples:
    stream = settings.open()
    stream.set_manner(manner)
    stream.express(mood, half_life_s=None)
    done = run(stream, samples)
    return done.output[done.latency_samples :][: len(samples)]


def measure(samples: Samples) -> Measures:
    """Median F0, spread of F0, level, noise of vowels and tilt, each in the unit of a `Manner`."""
    f0 = f0_contour(samples)
    octaves = np.log2(f0[f0 > 0])
    return {
        "register_semitones": 12 * float(np.median(octaves)),
        "range_octaves": float(np.log2(np.subtract(*np.percentile(octaves, [80, 20])))),
        "level_db": 10 * float(np.log10(active_power(samples))),
        "breath_by_d4c_db": noise_of_vowels_db(samples, f0),
        "tilt_db": tilt_db(samples),
    }


def noise_of_vowels_db(samples: Samples, f0: npt.NDArray[np.float64]) -> float:
    """Aperiodic against whole power at 2 to 4 kHz, the mean over voiced frames (D4C)."""
    import pyworld

    x = at_rate(samples, STREAM_RATE, F0_RATE).astype(np.float64)
    times = np.arange(len(f0)) * F0_FRAME_MS / 1000
    voiced = f0 > 0
    share = pyworld.d4c(x, f0, times, F0_RATE)[voiced] ** 2
    whole = pyworld.cheaptrick(x, f0, times, F0_RATE)[voiced]
    hz = np.linspace(0, F0_RATE / 2, whole.shape[1])
    band = (hz >= BREATH_HZ[0]) & (hz < BREATH_HZ[1])
    noise = (share * whole)[:, band].sum(1) / whole[:, band].sum(1)
    return float(np.mean(10 * np.log10(noise)))


def breath_db(settings: StreamSettings, samples: Samples, manner: Manner) -> float:
    """Of the noise in voiced frames, against the same manner without breath.

    What is sung does not depend on the noise, so the noise is what differs from the same with as good
    as none.
    """
    with_it, without, bare = (
        spoken_in(settings, samples, manner=replace(manner, breath_db=db)).astype(np.float64)
        for db in (manner.breath_db, 0.0, NO_BREATH_DB)
    )
    hop = STREAM_RATE // 100
    voiced = np.repeat(f0_contour(bare.astype(np.float32)) > 0, hop)[: len(bare)]
    noise = [
        np.sum((of[: len(voiced)] - bare[: len(voiced)])[voiced] ** 2) for of in (with_it, without)
    ]
    return float(10 * np.log10(noise[0] / noise[1]))


def tilt_db(samples: Samples) -> float:
    hz, power = scipy.signal.welch(samples.astype(np.float64), STREAM_RATE, nperseg=4096)
    bands = [
        10 * np.log10(power[(hz >= low) & (hz < high)].sum()) for low, high in pairwise(TILT_HZ)
    ]
    return float(np.polyfit(np.arange(len(bands)) / 2, bands, 1)[0])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--weights", type=Path, help="a weights file, or a folder that holds one")
    parser.add_argument("--mode", choices=("live", "studio"), default="live")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    settings = StreamSettings(options.mode, STREAM_RATE, options.weights)
    sounds = [of.samples[: SECONDS * STREAM_RATE] for of in recordings(Engines(Path(), Path()))]
    speaker = Speaker()
    neutral: list[Measures] = []
    moods: Result = {}
    for mood, wanted in MOODS.items():
        made = [spoken_in(settings, sound, mood) for sound in sounds]
        measures = [measure(sound) for sound in made]
        neutral = neutral or measures
        moods[mood] = {
            name: {
                "table": round(getattr(wanted, name), 2),
                "measured": round(
                    float(
                        np.mean([a[name] - b[name] for a, b in zip(measures, neutral, strict=True)])
                    ),
                    2,
                ),
            }
            for name in measures[0]
            if name != "breath_by_d4c_db"
        } | {
            "breath_db": {
                "table": wanted.breath_db,
                "measured": round(
                    float(np.mean([breath_db(settings, sound, wanted) for sound in sounds])), 2
                )
                if wanted.breath_db
                else 0.0,
            },
            "breath_by_d4c_db": round(
                float(
                    np.mean(
                        [
                            a["breath_by_d4c_db"] - b["breath_by_d4c_db"]
                            for a, b in zip(measures, neutral, strict=True)
                        ]
                    )
                ),
                2,
            ),
            "similarity": round(
                float(np.mean([speaker.embed(sound) @ speaker.centroid for sound in made])), 3
            ),
            "dnsmos": round(float(np.mean([dnsmos(sound) for sound in made])), 2),
        }
        print(line(mood, moods[mood]), flush=True)
    birth = [speaker.embed(spoken_in(settings, sound)) for sound in sounds]
    ends: Result = {}
    for end, manner in ENDS.items():
        grown = [speaker.embed(spoken_in(settings, sound, manner=manner)) for sound in sounds]
        each = [float(a @ b) for a, b in zip(birth, grown, strict=True)]
        ends[end] = {"mean": round(float(np.mean(each)), 3), "worst": round(min(each), 3)}
        print(f"{end}: similarity to birth {ends[end]}", flush=True)
    result = report.circumstances("mood", settings.as_json())
    found = {"recordings": len(sounds), "moods": moods, "similarity_to_birth": ends}
    report.write(result | found, options.json)


def line(mood: str, found: Result) -> str:
    told = [
        f"{name.split('_')[0]} {of['measured']:+.2f} ({of['table']:+.2f})"
        for name, of in found.items()
        if isinstance(of, dict)
    ]
    return f"{mood:11}" + "  ".join(
        [*told, f"similarity {found['similarity']:.3f}", f"DNSMOS {found['dnsmos']:.2f}"]
    )
