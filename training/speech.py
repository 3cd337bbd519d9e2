"""Speech that the persona never said: real people, and synthesisers that keep their own time.

    python -m training.speech --cache DIR [--count 900]

Writes ``DIR/speech/NAME.flac``, 24 kHz, 16 bits, up to 24 s, most 7 or more:

* ``real_*``: recordings of more than sixty people in thirty languages, single words and the dialogues of
  spoken games, from Debian packages, which ``apt-get download`` puts into ``DIR/packages``; short ones
  are joined, those of one speaker at a time where they can be told apart;
* ``engine_*``: sentences of `training.text` by espeak-ng and flite; sentence ``i`` follows from the seed.

Nobody whom the bench judges with is among them. What is there already is left alone.
"""

import argparse
import contextlib
import hashlib
import io
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from training import text
from training.pairs import SEED, Espeak, flite, to_rate
from training.synthesis import RATE
from training.whole import whole

# Packages and the pattern by whose first group their files are told apart: language, so mostly speaker.
PACKAGES = {
    "asterisk-prompt-es-co": r"/sounds/(es)/",
    "asterisk-prompt-fr-armelle": r"/sounds/(fr)/",
    "asterisk-prompt-it-menardi-alaw": r"/sounds/(it_IT_f_Menardi)/",
    "fillets-ng-data-cs": r"/(cs)/[^/]*-[mv]-",
    "fillets-ng-data-nl": r"/(nl)/[^/]*-[mv]-",
    "klettres-data": r"/klettres/(\w+)/",
    "ktuberling-data": r"/sounds/(\w+)",
    "tuxpaint-stamps-default": r"_desc_?(\w*)\.",
}
# A game whose dialogues lie in one archive, and the names of its doors and explosions there.
QUEEN = "flight-of-the-amazon-queen"
EFFECT = re.compile(r"\d+[A-Z]?S{3,}\.SB")
# How libsndfile reads what has no header; all of it is 8 kHz.
RAW = {".alaw": "ALAW", ".gsm": "GSM610"}
ENDINGS = (".ogg", ".wav", *RAW)
JOINED_S, LONGEST_S = 7.0, 24.0
# Root mean square of the loud part of a recording, of 1.
LEVEL = 0.1
ESPEAK_VARIANTS = (
    "", "f1", "f2", "f3", "f5", "m1", "m2", "m3", "m4", "m6", "m7", "m8", "klatt", "klatt2",
    "klatt4", "Alex", "Alicia", "Andrea", "Andy", "belinda", "linda", "Lee", "steph", "john",
    "adam", "aunty", "boris", "Diogo", "ed", "grandma", "Hugo", "ian", "Marco", "max",
    "Michael", "Nguyen", "paul", "quincy", "rob", "shelby", "travis", "victor", "zac", "croak",
    "whisperf",
)  # fmt: skip
ESPEAK_ENGLISH = ("en-us", "en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-us-nyc")
FLITE_VOICES = ("kal16", "awb", "slt")


def unpacked(package: str, folder: Path) -> Path:
    """The files of a Debian package, under ``folder``."""
    target = folder / package
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True)
        except FileNotFoundError:
            raise SystemExit(f"{package}: needs apt-get, that is Debian or one like it") from None
        except subprocess.CalledProcessError:
            raise SystemExit(
                f"{package}: apt-get could not download it; try apt-get update"
            ) from None
        (archive,) = folder.glob(f"{package}_*.deb")
        part = target.with_suffix(".part")
        subprocess.run(["dpkg-deb", "-x", str(archive), str(part)], check=True)
        part.rename(target)
    return target


def read(file: Path) -> np.ndarray:
    """float32 mono at 24 kHz."""
    raw = {}
    if file.suffix in RAW:
        raw = {"samplerate": 8000, "channels": 1, "format": "RAW", "subtype": RAW[file.suffix]}
    return decoded(file, **raw)


def decoded(sound: Path | io.BytesIO, **raw: Any) -> np.ndarray:
    samples, rate = soundfile.read(sound, dtype="float32", always_2d=True, **raw)
    return to_rate(samples.mean(axis=1), rate)


def amazon_queen(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Lines of dialogue, as MP3, by the names of their files.

    They are the .SB files of the archive that are no effects. A name is a conversation and a number,
    then J for Joe, the hero, and P for whom he talks with; or JOE and a number; or that of a scene.

    The layout is ScummVM's (engines/queen/resource.cpp): from byte 13 on the number of entries, then
    entries of 21 bytes: name, one byte, where it lies and how long it is.
    """
    (archive,) = folder.rglob("queen.1c")
    data = archive.read_bytes()
    for at in range(15, 15 + 21 * int.from_bytes(data[13:15], "big"), 21):
        name = data[at : at + 12].rstrip(b"\0").decode()
        start = int.from_bytes(data[at + 13 : at + 17], "big")
        size = int.from_bytes(data[at + 17 : at + 21], "big")
        if name.endswith(".SB") and not EFFECT.fullmatch(name):
            with contextlib.suppress(soundfile.LibsndfileError):
                yield name, decoded(io.BytesIO(data[start : start + size]))


def cut(samples: np.ndarray) -> np.ndarray | None:
    """Without the silence around it, at `LEVEL`, faded over 10 ms; None where nobody speaks."""
    if len(samples) < 0.1 * RATE or np.abs(samples).max() < 0.01:
        return None
    power = np.convolve(samples**2, np.ones(480) / 480, "same")
    (loud,) = np.nonzero(power > 1e-4 * power.max())
    samples = samples[max(loud[0] - RATE // 10, 0) : loud[-1] + RATE // 7]
    peak = float(np.abs(samples).max())
    spoken = samples[np.abs(samples) > 0.05 * peak]
    samples = samples * min(LEVEL / float(np.sqrt((spoken**2).mean())), 0.9 / peak)
    fade = np.minimum(np.arange(len(samples)) / 240, 1)
    return (samples * fade * fade[::-1]).astype(np.float32)


def real(package: str, folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Names and sounds."""
    content = unpacked(package, folder)
    groups = dialogue(content) if package == QUEEN else recordings(content, PACKAGES[package])
    for group, parts in sorted(groups.items()):
        for number, samples in enumerate(joined(parts)):
            yield f"real_{package}_{group or 'en'}_{number:03d}", samples


def recordings(folder: Path, pattern: str) -> dict[str, Iterator[np.ndarray]]:
    """What is spoken in the files of each group."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.rglob("*")):
        found = re.search(pattern, str(file))
        if found and file.suffix in ENDINGS and file.is_file():
            groups[found[1]].append(file)
    return {group: pieces(files) for group, files in groups.items()}


def dialogue(folder: Path) -> dict[str, list[np.ndarray]]:
    """What each speaker says; a line that is there twice is taken once."""
    lines: dict[str, list[np.ndarray]] = defaultdict(list)
    heard: set[bytes] = set()
    for name, samples in amazon_queen(folder):
        speaker = "joe" if name[6:7] == "J" or name.startswith("JOE") else "others"
        digest = hashlib.sha256(samples.tobytes()).digest()
        piece = cut(samples)
        if piece is not None and digest not in heard:
            heard.add(digest)
            lines[speaker].append(piece)
    return lines


def pieces(files: list[Path]) -> Iterator[np.ndarray]:
    """What is spoken in each file; one that is there twice is taken once."""
    heard: set[bytes] = set()
    for file in files:
        digest = hashlib.sha256(file.read_bytes()).digest()
        if digest in heard:
            continue
        heard.add(digest)
        try:
            piece = cut(read(file))
        except soundfile.LibsndfileError:
            continue  # a few of the packages' files are broken
        if piece is not None:
            yield piece


def joined(parts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Pieces one after the other, until they are long enough."""
    waiting: list[np.ndarray] = []
    for part in parts:
        waiting.append(part)
        if sum(map(len, waiting)) > JOINED_S * RATE:
            yield np.concatenate(waiting)[: int(LONGEST_S * RATE)]
            waiting = []
    if waiting:
        yield np.concatenate(waiting)[: int(LONGEST_S * RATE)]


def engine(i: int, espeak: Espeak) -> np.ndarray:
    """Sentence ``i``, by espeak-ng or, one English sentence in four, by flite."""
    rng = np.random.default_rng([SEED, 1, i])
    language, words = text.sentence(rng)
    if language == "en" and rng.random() < 0.25:
        return flite(words, str(rng.choice(FLITE_VOICES)))
    base = str(rng.choice(ESPEAK_ENGLISH)) if language == "en" else text.LANGUAGES[language][1]
    variant = str(rng.choice(ESPEAK_VARIANTS))
    return espeak.speak(
        text=words,
        voice=base + ("+" + variant if variant else ""),
        rate_wpm=int(rng.integers(130, 200)),
        pitch=int(rng.integers(25, 75)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--count", type=int, default=900, help="sentences by synthesisers")
    options = parser.parse_args()
    if shutil.which("flite") is None:
        raise SystemExit("needs the program flite (Debian package flite)")
    folder = options.cache / "speech"
    folder.mkdir(parents=True, exist_ok=True)

    def keep(name: str, samples: np.ndarray) -> None:
        with whole(folder / f"{name}.flac") as out:
            soundfile.write(out, samples, RATE, subtype="PCM_16", format="FLAC")

    for package in (*PACKAGES, QUEEN):
        done = folder / f"{package}.done"
        if done.exists():
            continue
        seconds = 0.0
        for name, samples in real(package, options.cache / "packages"):
            keep(name, samples)
            seconds += len(samples) / RATE
            print(f"{name}: {seconds / 60:.1f} min", flush=True)
        done.touch()
    espeak = Espeak()
    for i in range(options.count):
        name = f"engine_{i:05d}"
        if (folder / f"{name}.flac").exists():
            continue
        piece = cut(engine(i, espeak))
        if piece is not None:
            keep(name, piece)
            print(f"{name} of {options.count}", flush=True)


if __name__ == "__main__":
    main()
