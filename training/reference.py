"""Makes the persona's reference recordings: what *herself* means to every bench, test and verifier.

    python -m training.reference --models DIR --voices FILE [--out DIR]

Six sentences at her origin, timbre and prosody both her own, at speed 1.0. The pair maker's
synthesiser is bit-identical each time, so a run gives the committed files again. Writes
``NN.flac`` (24 kHz, 16 bits) and ``script.txt``: a name and its sentence on each line.
"""

import argparse
from pathlib import Path

import soundfile

from training.pairs import PERSONA_BLEND, RATE, Espeak, Kokoro

# Written for this: every vowel and consonant of American English, statement and question, calm
# and lively. None is in the training pairs, which are drawn word by word, nor in the benches.
SENTENCES = (
    "Hello, I'm Samantha. It's good to hear your voice again.",
    "The early train was quiet, so I read your letter twice before we reached the coast.",
    "Would you like me to choose something cheerful, or shall we just enjoy the silence?",
    "She poured the boiling water slowly, and measured five spoons of ginger and honey.",
    "I thought about what you said yesterday, and I believe you were right all along!",
    "Of course, there's usually another way through; let's look at it together.",
)
SPEED = 1.0
DEFAULT_OUT = Path("persona_voice/assets/personas/samantha/reference")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--voices", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kokoro, espeak = Kokoro(options.models, options.voices), Espeak()
    style = kokoro.blend(PERSONA_BLEND)
    lines = []
    for number, sentence in enumerate(SENTENCES, start=1):
        samples = kokoro.speak(kokoro.ids(espeak.phonemes(sentence, "en-us")), style, style, SPEED)
        name = f"{number:02d}.flac"
        soundfile.write(options.out / name, samples, RATE, subtype="PCM_16")
        lines.append(f"{name}\t{sentence}\n")
        print(f"{name}: {len(samples) / RATE:.1f} s", flush=True)
    (options.out / "script.txt").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
