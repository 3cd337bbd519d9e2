"""Enrolment: a voice modelled on somebody who left recordings, and agrees."""

import datetime as dt
import itertools
import json
import random
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.audio.files import SoundReader, SoundWriter
from persona_voice.build import needs_torch, weights_folder
from persona_voice.errors import ConsentError, PersonaFileError, SettingError
from persona_voice.model.native_converter import load_converter
from persona_voice.model.verifier import (
    FRAMES_PER_S,
    SHORTEST_S,
    Verifier,
    load_verifier,
    similarity,
    spoken,
)
from persona_voice.model.weights import read_weights, save_weights
from persona_voice.path import probes
from persona_voice.persona.consent import LAST_WORDS, WORDS, Consent, consent_text, read_consent
from persona_voice.persona.naming import checked_name
from persona_voice.persona.persona import (
    Persona,
    load_persona,
    persona_names,
    persona_text,
    users_personas_folder,
)
from persona_voice.persona.state import BIRTH
from persona_voice.sources.espeak import EspeakSource

if TYPE_CHECKING:
    from persona_voice.model.network import ConverterNetwork

Samples = npt.NDArray[np.float32]
Embedding = npt.NDArray[np.float32]

# Speech, in seconds: less is too little to know a voice by, and of more the rest is not read.
LEAST_S, MOST_S = 60.0, 600.0
# Recordings are cut and joined to pieces of so many seconds; every so many is kept aside to judge by.
PIECE_S, KEPT_ASIDE = 8.0, 5
BLOCK_S = 1.0
LONGEST_PHRASE_S = 60.0
# Other phrases, of each kind, that the recorded one must be farther from: it must be nearer by this. Of synthetic
# voices the right phrase was as near as 0.91 to 0.96 of the nearest other, and phrases with other last words as 1.005
# and more.
OTHER_PHRASES = 20
CLEARLY = 0.98
WEIGHTS, RECORD, CONSENT, PHRASE = (
    "converter.safetensors", "enrolment.json", "consent.toml", "consent.flac",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Who was enrolled, and how near the voice comes. Similarities are the speaker verifier's."""

    persona: str
    folder: Path
    seconds: float
    """Of speech that the voice was learnt from."""
    same_speaker: float
    """Where the verifier begins to take two sounds for one speaker's."""
    phrase_similarity: float
    """Of who says the phrase, to the recordings."""
    own_similarity: float
    """Of recordings kept aside, to those learnt from: what could be reached."""
    similarity_before: float
    """To the recordings kept aside, of four people's sentences in the voice that it was begun with, moved to the
    new register."""
    similarity: float
    """And in the new voice."""


def enrol(
    name: str,
    recordings: list[Path],
    consent: Path,
    phrase: Path,
) -> Enrolment:
    """Makes a persona of this user whose voice is modelled on a person's recordings.

    The heads of Samantha's network are fitted to the recordings (`persona_voice.model.adaptation`); what comes of
    it is a folder of the persona's own, with its weights, its consent and the recorded phrase, which
    `load_persona` then knows by name. Takes seconds. Needs the extra ``torch``.

    Parameters
    ----------
    name : str
        That nobody has yet.
    recordings : list of Path
        Sound files with one to ten minutes of one person's speech, in any language; sound beyond that is not read.
    consent : Path
        A TOML file, as `persona_voice.persona.consent.Consent` has it.
    phrase : Path
        A sound file in which the same person says the consent's phrase.

    Raises
    ------
    ConsentError
        ``no_consent``, ``bad_consent``; ``phrase_not_said`` and ``another_speaker`` if the recorded phrase is not the
        consent's, or not by who is recorded.
    SettingError
        ``bad_name``, ``name_taken``; ``too_little_speech`` in the recordings or the phrase.
    AudioFileError, PersonaFileError, WeightsError

    Nothing is left behind by one that is refused.
    """
    agreed = read_consent(consent)
    known = checked_name(name)
    place = users_personas_folder() / known.lower()
    if known.lower() in persona_names() or place.exists():
        there = place if place.exists() else "one of the installation's"
        message = f'"{known.lower()}" must be nobody\'s name yet; there is {there}'
        raise SettingError(message, code="name_taken")
    learnt, kept, seconds = _pieces(recordings)
    said = sound_of(phrase)[: round(LONGEST_PHRASE_S * _core.RATE)]
    judge = load_verifier()
    centre = _centre(judge, learnt)
    phrase_similarity = _checked_speaker(judge, said, centre, phrase)
    started = load_persona()
    with needs_torch("enrolment"):
        from persona_voice.model.adaptation import adapt
        from persona_voice.model.torch_converter import network_of
    weights = read_weights(weights_folder() / started.weights)
    check_phrase(network_of(weights), agreed, said, phrase)
    found = adapt(weights, learnt)
    persona = Persona(
        name=known,
        weights=WEIGHTS,
        register_hz=found.register_hz,
        range=started.range,
        provenance=f"Modelled on {seconds / 60:.1f} minutes of recordings of {agreed.who}, from {started.name}'s "
        f"network, on {dt.date.today()}.",
        consent=f"{agreed.who}, {agreed.date}: for {agreed.scope}. Recorded beside this file.",
    )
    aside = _centre(judge, kept)
    with tempfile.TemporaryDirectory() as made:
        made_in = Path(made)
        save_weights(found.weights, made_in / WEIGHTS, {"enrolled": agreed.who})
        files = (weights_folder() / started.weights, made_in / WEIGHTS)
        before, after = (_likeness(judge, file, persona, aside) for file in files)
        done = Enrolment(
            persona=known.lower(),
            folder=place,
            seconds=seconds,
            same_speaker=judge.same_speaker,
            phrase_similarity=phrase_similarity,
            own_similarity=similarity(centre, aside),
            similarity_before=before,
            similarity=after,
        )
        (made_in / "persona.toml").write_text(persona_text(persona), encoding="utf-8")
        (made_in / CONSENT).write_text(consent_text(agreed), encoding="utf-8")
        record = json.dumps(asdict(done) | {"folder": str(place)}, indent=2)
        (made_in / RECORD).write_text(record, encoding="utf-8")
        with SoundWriter(made_in / PHRASE, _core.RATE, len(said)) as writer:
            writer.write(said)
        _put(made_in, place)
    return done


def sound_of(file: Path) -> Samples:
    """Of a sound file, what fits in `MOST_S`, mono at 24 kHz."""
    with SoundReader(file) as reader:
        blocks = itertools.islice(reader.blocks(BLOCK_S), round(MOST_S / BLOCK_S))
        return at_our_rate(blocks, reader.sample_rate)


def at_our_rate(blocks: Iterable[Samples], sample_rate: int) -> Samples:
    """All of them, at 24 kHz."""
    resampler = _core.Resampler(sample_rate, _core.RATE)
    return np.concatenate([*(resampler.process(block) for block in blocks), resampler.flush()])


def check_phrase(network: "ConverterNetwork", agreed: Consent, said: Samples, file: Path) -> None:
    """Refuses a recording in which the consent's phrase is not said.

    It must be clearly nearer to the phrase than to phrases that end in other words, and to the same words in
    other orders: a recording of anything else is as near to some of these.

    Raises
    ------
    ConsentError
        ``phrase_not_said``.
    """
    nearness = nearness_to_phrase(network, agreed.phrase, agreed.language, said)
    if nearness >= CLEARLY:
        message = (
            f"{file} must say the consent's phrase, word for word and nothing else: {agreed.phrase!r}; its distance "
            f"from that must be less than {CLEARLY} of that from others like it, got {nearness:.2f}"
        )
        raise ConsentError(message, code="phrase_not_said", nearness=nearness)


def nearness_to_phrase(
    network: "ConverterNetwork", phrase: str, language: str, said: Samples
) -> float:
    """The distance of a recording from a phrase, as a part of that from the nearest of others like it."""
    from persona_voice.model.phrase import distances

    words, lot = phrase.split(), random.Random(phrase)
    ends = [[*words[:-LAST_WORDS], *lot.sample(WORDS, LAST_WORDS)] for _ in range(OTHER_PHRASES)]
    orders = [lot.sample(words, len(words)) for _ in range(OTHER_PHRASES)]
    phrases = [" ".join(each) for each in (words, *ends, *orders)]
    with EspeakSource(language) as source:

        def say(phrase: str) -> Samples:
            return at_our_rate(source.speak(phrase), source.sample_rate)

        right, *others = distances(network, said, phrases, say)
    return float(right / min(others))


def _checked_speaker(judge: Verifier, said: Samples, centre: Embedding, file: Path) -> float:
    found = similarity(judge.embed(said, _core.RATE), centre)
    if found < judge.same_speaker:
        message = (
            f"{file} must be spoken by who is recorded: its similarity to the recordings must be at least "
            f"{judge.same_speaker:.2f}, got {found:.2f}"
        )
        raise ConsentError(message, code="another_speaker", similarity=found)
    return found


def _pieces(files: list[Path]) -> tuple[list[Samples], list[Samples], float]:
    """Pieces to learn from, those kept aside, and the seconds of speech in all of them."""
    pieces: list[Samples] = []
    seconds = 0.0
    for piece in _joined(files):
        found = len(spoken(piece, _core.RATE)) / FRAMES_PER_S
        if found >= SHORTEST_S:
            pieces.append(piece)
            seconds += found
        if seconds > MOST_S:
            break
    if seconds < LEAST_S:
        message = f"recordings must hold at least {LEAST_S:.0f} s of speech, got {seconds:.1f} s"
        raise SettingError(message, code="too_little_speech", seconds=seconds)
    kept = pieces[KEPT_ASIDE - 1 :: KEPT_ASIDE]
    del pieces[KEPT_ASIDE - 1 :: KEPT_ASIDE]
    return pieces, kept, seconds


def _joined(files: list[Path]) -> Iterator[Samples]:
    """The files' sound one after another, in pieces of `PIECE_S`; the last is shorter."""
    length = round(PIECE_S * _core.RATE)
    waiting = np.zeros(0, np.float32)
    for file in files:
        waiting = np.concatenate([waiting, sound_of(file)])
        while len(waiting) >= length:
            yield waiting[:length]
            waiting = waiting[length:]
    yield waiting


def _centre(judge: Verifier, pieces: list[Samples]) -> Embedding:
    """Who speaks in them, of length 1."""
    mean = np.mean([judge.embed(piece, _core.RATE) for piece in pieces], axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _likeness(judge: Verifier, weights: Path, persona: Persona, to: Embedding) -> float:
    """Of other people's sentences in that voice, the mean."""
    sounds = probes.spoken(load_converter(weights, "live"), persona, BIRTH)
    return float(np.mean([similarity(judge.embed(each, _core.RATE), to) for each in sounds]))


def _put(made: Path, place: Path) -> None:
    """The folder appears under its name when it is whole."""
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, part)
        part.rename(place)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        message = f"{place} cannot be written: {error.strerror or error}"
        raise PersonaFileError(message, code="cannot_write") from error
