"""``persona-voice enrol``: a voice modelled on somebody who left recordings, and agrees."""

import argparse
from dataclasses import asdict
from pathlib import Path

from persona_voice.cli.telling import tell
from persona_voice.errors import ConsentError, SettingError

SOUNDS = {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au", ".caf", ".w64", ".opus"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the persona")
    parser.add_argument(
        "recordings",
        type=Path,
        nargs="+",
        metavar="RECORDING",
        help="files, or folders of them: one to ten minutes of one person's speech",
    )
    # Not left to argparse: to go without is refused, not misused.
    parser.add_argument(
        "--consent", type=Path, metavar="FILE", help="as `persona-voice consent` writes it"
    )
    parser.add_argument(
        "--phrase", type=Path, metavar="FILE", help="a recording of its phrase, by the same person"
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def run(options: argparse.Namespace) -> int:
    for what in ("consent", "phrase"):
        if getattr(options, what) is None:
            message = (
                f"a voice is modelled on a person only with their consent: --{what} is missing"
            )
            raise ConsentError(message, code="no_consent")
    from persona_voice.enrolment import enrol

    done = enrol(options.name, _files(options.recordings), options.consent, options.phrase)
    facts = asdict(done) | {"folder": str(done.folder)}
    text = (
        f"{done.persona} speaks from {done.folder}, learnt from {done.seconds:.0f} s of speech\n"
        f"similarity to recordings kept aside (one speaker from {done.same_speaker:.2f}): "
        f"{done.similarity:.2f}, before {done.similarity_before:.2f}; they among themselves "
        f"{done.own_similarity:.2f}"
    )
    tell(options, facts, text)
    return 0


def _files(given: list[Path]) -> list[Path]:
    """Folders are their sound files, by name."""
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SOUNDS)
            if not inside:
                message = f"{path} must hold sound files, and holds none"
                raise SettingError(message, code="no_recordings")
            found += inside
        else:
            found.append(path)
    return found
