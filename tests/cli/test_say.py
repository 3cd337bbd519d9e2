import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from persona_voice.cli.main import main

TEXT = "Hello there. This is me."


def facts(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_a_text_becomes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "said.wav"
    assert main(["say", TEXT, "--out", str(out), "--json"]) == 0
    told = facts(capsys)
    samples, rate = soundfile.read(out)
    assert told["seconds"] == pytest.approx(len(samples) / rate, abs=1e-3)
    assert told["sample_rate_hz"] == rate == 22_050
    assert told["faults"] == {}
    assert 1 < len(samples) / rate < 4
    assert np.abs(samples).max() > 0.02
    assert list(tmp_path.iterdir()) == [out]


def test_the_first_sound_leaves_early(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "This is one long sentence without an end in sight, " * 20
    assert main(["say", text, "--out", str(tmp_path / "said.wav"), "--json"]) == 0
    told = facts(capsys)
    whole_ms = 1000 * float(str(told["rtf"])) * float(str(told["seconds"]))
    assert float(str(told["first_sound_ms"])) < whole_ms / 4


def test_any_command_may_speak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = Path(__file__).parents[2] / "persona_voice/assets/recordings/kennedy_en_m.flac"
    said, rate = soundfile.read(recording)
    soundfile.write(tmp_path / "said.wav", said[:rate], rate)
    out = tmp_path / "out.flac"
    command = f"command:cp {tmp_path}/said.wav {{out}}"
    assert main(["say", "Ask not.", "--out", str(out), "--source", command]) == 0
    assert "first sound after" in capsys.readouterr().out
    assert soundfile.info(out).frames == soundfile.info(out).samplerate


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([" ... "], 2, "must hold a word"),
        ([TEXT, "--source", "nobody"], 2, "source must be one of espeak"),
        ([TEXT, "--source", "command:there-is-no-such-program"], 1, "must be there and run"),
        ([TEXT, "--voice", "nonsense"], 1, "espeak-ng has no voice 'nonsense'"),
        ([TEXT, "--persona", "nobody"], 1, "samantha"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    assert main(["say", *arguments, "--out", str(tmp_path / "said.wav")]) == code
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_sound_card_a_file_is_suggested(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("persona_voice.audio.playing.list_devices", list)
    assert main(["say", TEXT]) == 4
    assert "--out" in capsys.readouterr().err


def test_without_a_file_it_is_played(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[int] = []

    class Loudspeaker:
        def __init__(self, sample_rate: int) -> None:
            assert sample_rate == 22_050

        def write(self, block: np.ndarray) -> None:
            heard.append(len(block))

        def __enter__(self) -> "Loudspeaker":
            return self

        def __exit__(self, *_error: object) -> None:
            heard.append(-1)

    monkeypatch.setattr("persona_voice.audio.playing.Player", Loudspeaker)
    assert main(["say", TEXT, "--json"]) == 0
    assert facts(capsys)["output"] == "loudspeaker"
    assert heard[-1] == -1
    assert sum(heard) > 22_050
