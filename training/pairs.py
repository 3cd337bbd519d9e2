"""Makes training pairs: the persona, and other voices saying the same at the same time.

    python -m training.pairs --cache DIR --count 1200 [--shard 0/2]

Utterance ``i`` depends on the seed and ``i`` alone, so a run that was stopped goes on where it
was, and several shards fill one cache. Each ``DIR/pairs/NNNNN.npz`` holds:

* ``target``: the persona, int16, 24 kHz; ``f0``: its fundamental every 10 ms (Harvest), 0 unvoiced;
* ``source_K``: another voice, that says the same at the same sample;
* ``meta``: JSON, with the text, the voices and where each source comes from.

Sources: other Kokoro timbres under the same prosody, and pitch and formant warps of these and of the
target (WORLD).
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.io.wavfile
import scipy.signal

from persona_voice.sources.espeak import EspeakWorker
from persona_voice.sources.kokoro import phonemes
from training import text
from training.shard import shard
from training.synthesis import RATE
from training.whole import whole

SEED = 20261122
PERSONA_BLEND = {"af_heart": 0.5, "bf_emma": 0.25, "af_bella": 0.25}
# Never in training: the bench judges with these.
HELD_OUT_KOKORO = ("am_michael", "bf_isabella", "af_nova", "bm_lewis")
HELD_OUT_ESPEAK = ("f4", "m5", "klatt3", "Annie", "Mike")
HELD_OUT_FLITE = ("rms", "kal")


class Kokoro:
    """Kokoro-82M: phoneme ids and a style of 256 numbers to 24 kHz speech, bit-identical each time."""

    def __init__(self, models: Path, voices: Path, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            str(models / "kokoro" / "kokoro-v1.0.int8.onnx"), options
        )
        self.vocabulary = json.loads((models / "kokoro" / "vocab.json").read_text())["vocab"]
        packs = np.load(voices)
        self.packs = {name: packs[name].astype(np.float32) for name in packs.files}

    def blend(self, weights: dict[str, float]) -> np.ndarray:
        return sum(weight * self.packs[name] for name, weight in weights.items())

    def ids(self, phonemes: str) -> list[int]:
        return [self.vocabulary[p] for p in phonemes if p in self.vocabulary][:500]

    def speak(
        self, ids: list[int], timbre: np.ndarray, prosody: np.ndarray, speed: float
    ) -> np.ndarray:
        """float32 ``[samples]``; ``timbre`` and ``prosody`` are packs ``[510, 256]``."""
        style = np.concatenate([timbre[len(ids), :128], prosody[len(ids), 128:]])[None]
        feed = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style.astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        return np.asarray(self.session.run(None, feed)[0]).reshape(-1)


class Espeak:
    """espeak-ng through the package's own worker process."""

    def __init__(self) -> None:
        self.worker = EspeakWorker()

    def ask(self, **request: object) -> bytes:
        return b"".join(self.worker.ask(**request))

    def phonemes(self, words: str, voice: str) -> str:
        """As Kokoro spells them."""
        return phonemes(self.ask(op="phonemes", text=words, voice=voice).decode(), words)

    def speak(self, **request: object) -> np.ndarray:
        """At `RATE`; ``text``, ``voice``, ``rate_wpm``, ``pitch`` as in `EspeakSource`."""
        samples = np.frombuffer(self.ask(op="synth", **request), "<i2") / 32768.0
        return to_rate(samples, self.worker.start())


def to_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    shared = np.gcd(rate, RATE)
    return scipy.signal.resample_poly(samples, RATE // shared, rate // shared).astype(np.float32)


def flite(words: str, voice: str) -> np.ndarray:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", voice, "-t", words, "-o", file.name], check=True)
        rate, samples = scipy.io.wavfile.read(file.name)
    return to_rate(samples / 32768.0, rate)


def warp(samples: np.ndarray, semitones: float, tract: float) -> np.ndarray:
    """Another speaker by WORLD: F0 moved by ``semitones``, formants divided by ``tract``."""
    import pyworld

    x = samples.astype(np.float64)
    f0, times = pyworld.dio(x, RATE, frame_period=5.0)
    f0 = pyworld.stonemask(x, f0, times, RATE)
    envelope = pyworld.cheaptrick(x, f0, times, RATE)
    noise = pyworld.d4c(x, f0, times, RATE)
    bins = np.arange(envelope.shape[1])
    low = np.clip(bins * tract, 0, bins[-1]).astype(int)
    moved = envelope[:, low] * np.where(bins * tract > bins[-1], 1e-3, 1.0)
    y = pyworld.synthesize(
        f0 * 2 ** (semitones / 12),
        np.ascontiguousarray(np.maximum(moved, 1e-16)),
        np.ascontiguousarray(noise[:, low]),
        RATE,
        5.0,
    )
    return np.resize(y, len(x)).astype(np.float32)


def harvest(samples: np.ndarray) -> np.ndarray:
    import pyworld

    f0, _ = pyworld.harvest(
        samples.astype(np.float64), RATE, f0_floor=60, f0_ceil=700, frame_period=10.0
    )
    return f0.astype(np.float32)


def random_timbre(rng: np.random.Generator, kokoro: Kokoro) -> tuple[dict[str, float], np.ndarray]:
    """One pack, or two blended, none of them held out."""
    names = [n for n in kokoro.packs if n not in HELD_OUT_KOKORO]
    if rng.random() < 0.5:
        weights = {str(rng.choice(names)): 1.0}
    else:
        one, two = rng.choice(names, size=2, replace=False)
        share = float(rng.uniform(0.3, 0.7))
        weights = {str(one): share, str(two): 1 - share}
    return weights, kokoro.blend(weights)


def random_prosody(rng: np.random.Generator, kokoro: Kokoro) -> tuple[dict[str, float], np.ndarray]:
    """Mostly the persona's own, often another woman's, sometimes anybody's."""
    choice = rng.random()
    if choice < 0.45:
        return PERSONA_BLEND, kokoro.blend(PERSONA_BLEND)
    names = [n for n in kokoro.packs if n not in HELD_OUT_KOKORO and (choice > 0.9 or n[1] == "f")]
    weights = {str(rng.choice(names)): 1.0}
    return weights, kokoro.blend(weights)


def make(i: int, kokoro: Kokoro, espeak: Espeak) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([SEED, i])
    language, words = text.sentence(rng)
    ids = kokoro.ids(espeak.phonemes(words, text.LANGUAGES[language][1]))
    prosody_name, prosody = random_prosody(rng, kokoro)
    speed = float(rng.uniform(0.85, 1.25))
    target = kokoro.speak(ids, kokoro.blend(PERSONA_BLEND), prosody, speed)
    sources: list[tuple[dict[str, object], np.ndarray]] = []

    def warped(base: np.ndarray, kind: dict[str, object], down: float) -> None:
        semitones, tract = float(rng.uniform(down, 4)), float(np.exp(rng.normal(0, 0.09)))
        moved = kind | {"semitones": semitones, "tract": tract}
        sources.append((moved, warp(base, semitones, tract)))

    if rng.random() < 0.75:
        timbre_name, timbre = random_timbre(rng, kokoro)
        other = kokoro.speak(ids, timbre, prosody, speed)
        if len(other) != len(target):
            raise RuntimeError(f"pair {i}: {len(other)} samples against {len(target)}")
        sources.append(({"engine": "kokoro", "timbre": timbre_name}, other))
        male = max(timbre_name, key=timbre_name.__getitem__)[1] == "m"
        if rng.random() < 0.7:
            warped(other, {"engine": "kokoro+world", "timbre": timbre_name}, -13 if male else -7)
    if rng.random() < 0.35:
        warped(target, {"engine": "target+world"}, -10)

    meta = {
        "text": words, "language": language, "prosody": prosody_name, "speed": speed,
        "sources": [kind for kind, _ in sources],
    }  # fmt: skip
    arrays = {"target": to_int16(target), "f0": harvest(target), "meta": np.array(json.dumps(meta))}
    for k, (_, samples) in enumerate(sources):
        arrays[f"source_{k}"] = to_int16(samples)
    return arrays


def to_int16(samples: np.ndarray) -> np.ndarray:
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)


def arguments(description: str | None, count: int) -> argparse.Namespace:
    """Of a program that makes so many things with Kokoro, unless told otherwise."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--voices", type=Path, required=True)
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--shard", type=shard, default="0/1", help="K/N: every N-th of them")
    return parser.parse_args()


def main() -> None:
    options = arguments(__doc__, count=1200)
    folder = options.cache / "pairs"
    folder.mkdir(parents=True, exist_ok=True)
    kokoro, espeak = Kokoro(options.models, options.voices), Espeak()
    started, seconds = time.monotonic(), 0.0
    for i in range(options.count)[options.shard]:
        file = folder / f"{i:05d}.npz"
        if file.exists():
            continue
        arrays = make(i, kokoro, espeak)
        with whole(file) as out:
            np.savez(out, **arrays)
        seconds += len(arrays["target"]) / RATE
        pace = seconds / (time.monotonic() - started)
        print(
            f"pair {i + 1}/{options.count}: {seconds / 60:.1f} min made, {pace:.2f} x real time",
            flush=True,
        )


if __name__ == "__main__":
    main()
