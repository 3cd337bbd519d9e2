"""``persona-voice persona create``: designed by words and sliders, or as she comes; and her name."""

import argparse
import math
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from persona_voice.cli.telling import said, tell
from persona_voice.errors import SettingError
from persona_voice.persona.design import candidates, described, voice_of_her_own
from persona_voice.persona.event import Event, Kind, happened
from persona_voice.persona.naming import checked_name, name_of_her_own
from persona_voice.persona.persona import load_persona, persona_names
from persona_voice.persona.store import Store
from persona_voice.persona.voice import Voice

if TYPE_CHECKING:
    from persona_voice.build import Spoken

INTRODUCTION = "Hello, I am {}. This is how I sound when I talk with you."
SLIDERS = {
    "register": "register_semitones",
    "tract": "tract_octaves",
    "breath": "breath_db",
    "tilt": "tilt_db",
}


@dataclass(frozen=True)
class Wanted:
    """Who is to be born."""

    id: str
    called: str
    base: str
    seed: int
    voice: Voice | None
    """None for one of this installation as she comes."""


def add_actions(action: Callable[..., argparse.ArgumentParser]) -> None:
    create = action(
        "create",
        "let a persona begin to live and to grow: one of this installation, or one of your design",
        create_one,
        makes_store=True,
    )
    create.add_argument(
        "name", metavar="NAME", nargs="?", help="(default: she names herself, from her seed)"
    )
    create.add_argument("--called", metavar="NAME", help="how she is called (default: NAME)")
    create.add_argument(
        "--base", default="samantha", metavar="NAME", help="whose voice the design starts from"
    )
    create.add_argument(
        "--words",
        metavar="WORDS",
        help='such as "warm, low, a little husky, in her thirties" (default: without sliders, too, '
        "a voice of her own, from her seed)",
    )
    create.add_argument("--register", type=float, metavar="ST", help="in semitones, -5 to 5")
    create.add_argument(
        "--tract",
        type=octaves,
        metavar="OCTAVES",
        help="of its length, -0.138 to 0.138; or in percent, as 5%% or --tract=-5%%",
    )
    create.add_argument("--breath", type=float, metavar="DB", help="in her voice, -6 to 6")
    create.add_argument(
        "--tilt", type=float, metavar="DB", help="an octave, -1.5 to 1.5: below 0 darker"
    )
    create.add_argument(
        "--seed", type=seed, metavar="N", help="what is her own in how she grows (default: random)"
    )
    create.add_argument("--play", action="store_true", help="let her introduce herself")
    create.add_argument(
        "--candidates",
        type=int,
        metavar="N",
        help="so many voices near the one described, 1 itself; without --pick nobody is born yet",
    )
    create.add_argument(
        "--out", type=Path, metavar="DIR", help="for a WAV of each candidate's introduction"
    )
    create.add_argument(
        "--pick", type=int, metavar="K", help="that candidate is born; with the --seed told"
    )


def octaves(text: str) -> float:
    if text.endswith("%"):
        share = 1 + float(text[:-1]) / 100
        return math.log2(share) if share > 0 else -math.inf
    return float(text)


def seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**53:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 2**53 - 1, got {text}")
    return int(text)


def create_one(kept: Store, options: argparse.Namespace) -> int:
    """The seed is what is her own: nobody else grows alike."""
    wanted = _wanted(kept, options)
    if options.candidates is None and (options.pick is not None or options.out):
        message = "--out and --pick must come with --candidates, the number of voices near hers"
        raise SettingError(message, code="needs_candidates")
    if options.pick is not None and options.seed is None:
        message = "--pick must come with the --seed that was told with the candidates"
        raise SettingError(message, code="needs_seed")
    if options.candidates is not None:
        near = _near(wanted, options.candidates)
        files = _audition(wanted, near, options)
        if options.pick is None:
            return _tell_candidates(wanted, near, files, options)
        wanted = _picked(wanted, near, options.pick)
    now = time.time()
    kept.append(_events(wanted, now))
    facts = {
        "persona": wanted.id,
        "name": wanted.called,
        "base": wanted.base,
        "seed": wanted.seed,
        "voice": asdict(wanted.voice or Voice()),
        "born_s": now,
        "store": kept.name,
    }
    about = f": {said(asdict(wanted.voice))}" if wanted.voice else ""
    tell(options, facts, f"{wanted.called} ({wanted.id}) lives in {kept.name}{about}")
    if options.play:
        _play([_introduction(wanted, wanted.voice or Voice())])
    return 0


def _wanted(kept: Store, options: argparse.Namespace) -> Wanted:
    number = secrets.randbelow(2**53) if options.seed is None else options.seed
    sliders = {to: getattr(options, of) for of, to in SLIDERS.items()}
    sliders = {name: value for name, value in sliders.items() if value is not None}
    designed = options.words is not None or sliders or options.candidates is not None
    taken = [*kept.personas(), *persona_names()]
    name = checked_name(options.name) if options.name else name_of_her_own(number, taken)
    called = checked_name(options.called) if options.called else ""
    if name.lower() in kept.personas():
        message = f'"{name.lower()}" can be born once, and lives in {kept.name} already'
        raise SettingError(message, code="already_born")
    if name.lower() in persona_names():
        if designed or options.base.lower() != "samantha":
            message = (
                f'"{name.lower()}" must be as she comes with this installation: give who is '
                "designed another name, or none"
            )
            raise SettingError(message, code="name_taken")
        persona = load_persona(name)
        return Wanted(name.lower(), called or persona.name, name.lower(), number, None)
    base = load_persona(options.base).name.lower()
    voice = _voice(options.words, sliders, number)
    return Wanted(name.lower(), called or name, base, number, voice)


def _voice(words: str | None, sliders: dict[str, float], number: int) -> Voice:
    """Sliders come last. What no word of hers moves is as the base has it."""
    if words is None:
        return Voice(**sliders) if sliders else voice_of_her_own(number)
    found = described(words)
    if found.unknown:
        unknown = ", ".join(found.unknown)
        print(f"persona-voice: not known of a voice: {unknown}", file=sys.stderr)
    return replace(found.voice, **sliders)


def _near(wanted: Wanted, number: int) -> list[Voice]:
    if not 1 <= number <= 100:
        message = f"--candidates must lie in 1..=100, got {number}"
        raise SettingError(message, code="out_of_range")
    return candidates(wanted.voice or Voice(), wanted.seed, number)


def _picked(wanted: Wanted, near: list[Voice], number: int) -> Wanted:
    if not 1 <= number <= len(near):
        message = f"--pick must lie in 1..={len(near)}, got {number}"
        raise SettingError(message, code="out_of_range")
    return replace(wanted, voice=near[number - 1])


def _events(wanted: Wanted, now: float) -> list[Event]:
    events = [happened(Kind.BORN, wanted.id, now, seed=float(wanted.seed))]
    if wanted.voice is not None:
        voice = asdict(wanted.voice)
        events.append(happened(Kind.DESIGNED, wanted.id, now, base=wanted.base, **voice))
    return [*events, happened(Kind.NAMED, wanted.id, now, name=wanted.called)]


def _audition(wanted: Wanted, near: list[Voice], options: argparse.Namespace) -> list[Path]:
    """A WAV of each, if asked for, and each played, if asked for."""
    if not options.out and not options.play:
        return []
    spoken = [_introduction(wanted, voice) for voice in near]
    files = []
    if options.out:
        from persona_voice.cli.sounding import write

        options.out.mkdir(parents=True, exist_ok=True)
        for number, (samples, rate) in enumerate(spoken, 1):
            files.append(options.out / f"{wanted.id}-{number}.wav")
            write(files[-1], [samples], rate)
    if options.play:
        _play(spoken)
    return files


def _introduction(wanted: Wanted, voice: Voice) -> "Spoken":
    # Here, as nothing else of an action needs what makes sound.
    from persona_voice.cli.sounding import spoken

    persona = replace(load_persona(wanted.base), name=wanted.called, voice=voice)
    return spoken(INTRODUCTION.format(wanted.called), persona)


def _play(spoken: "list[Spoken]") -> None:
    from persona_voice.cli.sounding import play

    play(spoken)


def _tell_candidates(
    wanted: Wanted, near: list[Voice], files: list[Path], options: argparse.Namespace
) -> int:
    facts = {
        "persona": wanted.id,
        "name": wanted.called,
        "base": wanted.base,
        "seed": wanted.seed,
        "candidates": [asdict(voice) for voice in near],
        "files": [str(file) for file in files],
    }
    lines = [f"{number:>3}  {said(asdict(voice))}" for number, voice in enumerate(near, 1)]
    lines += [
        f"nobody is born yet: the same again with --seed {wanted.seed} --pick 1 to {len(near)}"
    ]
    tell(options, facts, "\n".join([*map(str, files), *lines]))
    return 0
