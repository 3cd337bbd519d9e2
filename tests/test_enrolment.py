"""A voice is modelled on who agrees, says so, and is recorded; whatever else is refused and leaves nothing."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from persona_voice import convert
from persona_voice.cli.main import main
from persona_voice.enrolment import LEAST_S, Enrolment, enrol
from persona_voice.errors import ConsentError, PersonaFileError, SettingError
from persona_voice.path.probes import RATE, probes
from persona_voice.persona.consent import Consent, consent_text
from persona_voice.persona.persona import load_persona
from persona_voice.sources.espeak import EspeakSource

# A synthesiser's voices stand for people: nobody has to be asked.
WHO, ANOTHER = "en-us+m3", "en-us+f2"
SENTENCES = (
    "The boat was late again, so we walked along the shore and counted the lamps on the other side.",
    "Nobody had told the baker that the road was closed; he had come all the way round by the mill.",
    "If you turn the second key before the first, the door will open, but the bell will ring as well.",
    "My brother keeps seven goats, a donkey and two geese, and knows each of them by its voice.",
)
AGREED = Consent(
    who="Robin Example",
    scope="a test of this program",
    date=dt.date(2026, 11, 30),
    phrase="I am Robin Example. Today, on November 30, 2026, I agree that a voice is modelled on recordings of "
    "mine, for a test of this program. Harbour violin pepper mountain.",
)
OTHER = replace(AGREED, phrase=f"Robin Example says something else: {SENTENCES[1]}")


def say(file: Path, text: str, voice: str) -> Path:
    with EspeakSource(voice) as source:
        soundfile.write(file, np.concatenate(list(source.speak(text))), source.sample_rate)
    return file


class Flow:
    """Files as somebody would have them, and a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recordings = folder / "recordings"
        self.recordings.mkdir()
        for number in range(14):
            # Also the other way round: no two are the same sound.
            words = SENTENCES[number % 4].split()[:: -1 if number % 8 > 3 else 1]
            say(self.recordings / f"{number:02d}.wav", " ".join(words[number // 4 :]), WHO)
        self.consent = folder / "consent.toml"
        self.consent.write_text(consent_text(AGREED), encoding="utf-8")
        self.phrase = say(folder / "phrase.wav", AGREED.phrase, WHO)

    def files(self) -> list[Path]:
        return sorted(self.recordings.iterdir())

    def enrol(self, name: str, phrase: Path | None = None) -> Enrolment:
        return enrol(name, self.files(), self.consent, phrase or self.phrase)


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return Flow(tmp_path_factory.mktemp("enrolment"))


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "persona-voice" / "personas"


def test_who_agrees_is_enrolled_and_speaks(flow: Flow, data: Path) -> None:
    done = flow.enrol("Robin")
    assert done.similarity > done.similarity_before + 0.1
    assert done.phrase_similarity > done.same_speaker
    assert done.own_similarity > 0.8
    assert done.seconds > LEAST_S
    persona = load_persona("robin")
    assert Path(persona.weights).parent == done.folder == data / "robin"
    assert 70 < persona.register_hz < 160
    assert AGREED.who in persona.consent
    names = [
        "consent.flac",
        "consent.toml",
        "converter.safetensors",
        "enrolment.json",
        "persona.toml",
    ]
    assert sorted(file.name for file in done.folder.iterdir()) == names
    assert json.loads((done.folder / "enrolment.json").read_text())["similarity"] == done.similarity
    spoken = convert(probes()[0], "robin", sample_rate=RATE)
    hers = convert(probes()[0], "samantha", sample_rate=RATE)
    assert spoken is not None
    assert hers is not None
    assert 0.02 < np.abs(spoken).max() <= 1
    assert np.abs(spoken - hers).max() > 0.02
    with pytest.raises(SettingError, match="must be nobody's name yet"):
        flow.enrol("ROBIN")
    with pytest.raises(SettingError, match="must be nobody's name yet"):
        flow.enrol("Samantha")


def test_words_other_than_the_consents_are_refused(flow: Flow, data: Path) -> None:
    words = AGREED.phrase.split()
    other_ends = " ".join([*words[:-4], "Melon", "wizard", "carpet", "engineer."])
    for text in (other_ends, SENTENCES[0] + SENTENCES[1]):
        said = say(flow.folder / "other.wav", text, WHO)
        with pytest.raises(ConsentError) as caught:
            flow.enrol("robin", said)
        assert caught.value.code == "phrase_not_said"
    assert not data.exists()


def test_somebody_else_cannot_agree(flow: Flow, data: Path) -> None:
    said = say(flow.folder / "another.wav", AGREED.phrase, ANOTHER)
    with pytest.raises(ConsentError) as caught:
        flow.enrol("robin", said)
    assert caught.value.code == "another_speaker"
    assert not data.exists()


def test_a_minute_is_the_least(flow: Flow) -> None:
    with pytest.raises(SettingError, match="at least 60 s of speech") as caught:
        enrol("robin", flow.files()[:4], flow.consent, flow.phrase)
    assert caught.value.code == "too_little_speech"


def test_where_nothing_can_be_written_nothing_is_left(flow: Flow, data: Path) -> None:
    data.parent.mkdir(parents=True)
    data.write_text("where the folder should be")
    with pytest.raises(PersonaFileError) as caught:
        flow.enrol("robin")
    assert caught.value.code == "cannot_write"
    assert data.read_text() == "where the folder should be"


def test_from_the_command_line(
    flow: Flow, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = tmp_path / "asked.toml"
    assert main(["consent", "Robin Example", "--scope", "a test", "--out", str(asked)]) == 0
    assert "I am Robin Example. Today, on " in capsys.readouterr().out
    assert main(["consent", "Robin Example", "--scope", "a test", "--out", str(asked)]) == 1
    assert "must not be there yet" in capsys.readouterr().err
    assert main(["enrol", "robin", str(flow.recordings)]) == 5
    assert "only with their consent" in capsys.readouterr().err
    words = ["enrol", "robin", str(flow.recordings), "--phrase", str(flow.phrase), "--json"]
    asked.write_text(consent_text(OTHER), encoding="utf-8")
    assert main([*words, "--consent", str(asked)]) == 5
    assert "must say the consent's phrase" in capsys.readouterr().err
    assert not data.exists()
    assert main([*words, "--consent", str(flow.consent)]) == 0
    assert json.loads(capsys.readouterr().out)["persona"] == "robin"
    assert main(["enrol", "robin2", str(data), "--consent", "a", "--phrase", "b"]) == 2
    assert "must hold sound files" in capsys.readouterr().err
