"""Many speakers, one array of log-mel frames each: what the verifier learns to tell apart.

``DIR/crowd/NAME.npy``, fp16 ``[frames, 66]``, holds what `persona_voice.model.verifier.spoken` leaves of
all that a speaker says, up to three minutes:

* ``real_*``: people from the Debian packages of `training.speech`, told apart by the names of their
  files. Played faster or slower, each is somebody else: another throat and another pitch;
* ``made_*``: the speakers of `training.speakers`.

None is the persona, or was converted, or is anybody whom a bench judges with. What is there already is
left alone.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.signal

from persona_voice.model.verifier import spoken
from training.speech import QUEEN, amazon_queen, cut, decoded, recordings, unpacked
from training.synthesis import RATE
from training.whole import whole

# Packages, and the pattern by whose first group their speakers are told apart.
SPEAKERS = {
    "asterisk-prompt-es-co": r"/sounds/(es)/",
    "asterisk-prompt-fr-armelle": r"/sounds/(fr)/",
    "asterisk-prompt-it-menardi-alaw": r"/sounds/(it_IT_f_Menardi)/",
    "fillets-ng-data-cs": r"/cs/[^/]*-([mv])-",
    "fillets-ng-data-nl": r"/nl/[^/]*-([mv])-",
    "klettres-data": r"/klettres/(\w+)/",
    "ktuberling-data": r"/sounds/(\w+)",
    "tuxpaint-stamps-default": r"_desc_?(\w*)\.",
}
# Speed as a ratio of whole numbers: about 2 semitones and 12 % of vocal tract either way.
SPEEDS = {"": (1, 1), "_fast": (8, 9), "_slow": (9, 8)}
LONGEST_S = 180
# Whoever says less than this is left out.
SHORTEST_S = 8
FRAMES_PER_S = 100


def make(cache: Path) -> None:
    """All speakers of whom ``DIR/packages`` and ``DIR/speakers`` know."""
    folder = cache / "crowd"
    folder.mkdir(parents=True, exist_ok=True)
    for package in (*SPEAKERS, QUEEN):
        done = folder / f"{package}.done"
        if not done.exists():
            for name, parts in real(package, cache / "packages"):
                for suffix, speed in SPEEDS.items():
                    keep(folder / f"real_{package}_{name}{suffix}.npy", parts, speed)
            done.touch()
            print(f"crowd: {package}", flush=True)
    sentences: dict[str, list[Path]] = defaultdict(list)
    for file in sorted((cache / "speakers").glob("*.flac")):
        sentences[file.stem.split("_")[0]].append(file)
    for name, spoken_by in sentences.items():
        if not (folder / f"made_{name}.npy").exists():
            keep(folder / f"made_{name}.npy", [decoded(file) for file in spoken_by], (1, 1))
    print(f"crowd: {len(list(folder.glob('*.npy')))} speakers", flush=True)


def real(package: str, folder: Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Names, and what they say, up to `LONGEST_S`."""
    content = unpacked(package, folder)
    groups = cast_of(content) if package == QUEEN else recordings(content, SPEAKERS[package])
    for name, parts in sorted(groups.items()):
        kept: list[np.ndarray] = []
        for part in parts:
            kept.append(part)
            if sum(map(len, kept)) > LONGEST_S * RATE:
                break
        if sum(map(len, kept)) > SHORTEST_S * RATE:
            yield name or "en", kept


def cast_of(folder: Path) -> dict[str, list[np.ndarray]]:
    """Joe, and the one whom he talks with in each numbered conversation (ScummVM's talk.cpp)."""
    lines: dict[str, list[np.ndarray]] = defaultdict(list)
    for name, samples in amazon_queen(folder):
        numbered = re.fullmatch(r"(\d\d)....(?:(J)|P)\d*\.SB", name)
        piece = cut(samples) if numbered else None
        if numbered and piece is not None:
            lines["joe" if numbered[2] else numbered[1]].append(piece)
    return lines


def keep(file: Path, parts: list[np.ndarray], speed: tuple[int, int]) -> None:
    sound = np.concatenate(parts)
    if speed != (1, 1):
        sound = scipy.signal.resample_poly(sound, *speed)
    frames = spoken(np.ascontiguousarray(sound, np.float32), RATE)
    if len(frames) > SHORTEST_S * FRAMES_PER_S / 2:
        with whole(file) as out:
            np.save(out, frames.astype(np.float16))
