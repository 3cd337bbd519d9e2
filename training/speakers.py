"""Makes speech of many speakers, a few sentences each: what the verifier learns to tell apart.

    python -m training.speakers --cache DIR --models DIR --voices NPZ [--count 600] [--shard 0/2]

Speaker ``i`` depends on the seed and ``i`` alone, so a run that was stopped goes on where it was, and
several shards fill one cache. Each sentence is ``DIR/speakers/IIII_K.flac``, 24 kHz. Speakers are blends of
Kokoro's packs, many with another pitch and other formants (WORLD), and espeak-ng's variants. None is
the persona or a voice that is held out, and nothing here has been through the converter.
"""

import time
from collections.abc import Iterator

import numpy as np
import soundfile

from training import text
from training.pairs import HELD_OUT_KOKORO, SEED, Espeak, Kokoro, arguments, warp
from training.speech import ESPEAK_ENGLISH, ESPEAK_VARIANTS, cut
from training.synthesis import RATE
from training.whole import whole

SENTENCES = 4
KOKORO_SHARE, WARPED_SHARE = 0.8, 0.6
# Of a warp: another throat, another register.
SEMITONES, TRACT = 2.5, 0.07


def kokoro_speaker(
    rng: np.random.Generator, kokoro: Kokoro, espeak: Espeak
) -> Iterator[np.ndarray]:
    """One to three packs blended; the same warp for all that they say."""
    names = [name for name in kokoro.packs if name not in HELD_OUT_KOKORO]
    chosen = rng.choice(names, size=int(rng.integers(1, 4)), replace=False)
    shares = rng.dirichlet(np.full(len(chosen), 2.0))
    pack = kokoro.blend(dict(zip(map(str, chosen), map(float, shares), strict=True)))
    warped = rng.random() < WARPED_SHARE
    semitones, tract = rng.normal(0, SEMITONES), np.exp(rng.normal(0, TRACT))
    for _ in range(SENTENCES):
        language, words = text.sentence(rng)
        ids = kokoro.ids(espeak.phonemes(words, text.LANGUAGES[language][1]))
        spoken = kokoro.speak(ids, pack, pack, float(rng.uniform(0.9, 1.2)))
        yield warp(spoken, float(semitones), float(tract)) if warped else spoken


def espeak_speaker(rng: np.random.Generator, espeak: Espeak) -> Iterator[np.ndarray]:
    base, variant = str(rng.choice(ESPEAK_ENGLISH)), str(rng.choice(ESPEAK_VARIANTS))
    pitch = int(rng.integers(20, 80))
    for _ in range(SENTENCES):
        _, words = text.sentence(rng)
        yield espeak.speak(
            text=words,
            voice=base + ("+" + variant if variant else ""),
            rate_wpm=int(rng.integers(140, 190)),
            pitch=pitch,
        )


def speaker(i: int, kokoro: Kokoro, espeak: Espeak) -> Iterator[np.ndarray]:
    rng = np.random.default_rng([SEED, 3, i])
    if rng.random() < KOKORO_SHARE:
        return kokoro_speaker(rng, kokoro, espeak)
    return espeak_speaker(rng, espeak)


def main() -> None:
    options = arguments(__doc__, count=600)
    folder = options.cache / "speakers"
    folder.mkdir(parents=True, exist_ok=True)
    kokoro, espeak = Kokoro(options.models, options.voices), Espeak()
    started, seconds = time.monotonic(), 0.0
    for i in range(options.count)[options.shard]:
        if (folder / f"{i:04d}_{SENTENCES - 1}.flac").exists():
            continue
        for k, spoken in enumerate(speaker(i, kokoro, espeak)):
            piece = cut(spoken)
            piece = np.zeros(RATE // 10, np.float32) if piece is None else piece
            with whole(folder / f"{i:04d}_{k}.flac") as out:
                soundfile.write(out, piece, RATE, subtype="PCM_16", format="FLAC")
            seconds += len(piece) / RATE
        pace = seconds / (time.monotonic() - started)
        print(
            f"speaker {i + 1}/{options.count}: {seconds / 60:.1f} min, {pace:.1f} x real time",
            flush=True,
        )


if __name__ == "__main__":
    main()
