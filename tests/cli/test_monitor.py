"""``monitor`` on the loopback device: what it shows, and how it ends."""

import argparse

import numpy as np
import pytest

from persona_voice.audio.devices import DeviceInfo, DeviceSettings
from persona_voice.audio.loopback import Loopback
from persona_voice.cli import main as cli
from persona_voice.cli import monitor
from persona_voice.converter import Identity
from persona_voice.errors import DeviceError
from persona_voice.path.stream import VoiceStream
from persona_voice.persona.persona import Persona

UNPLUGGED: list[bool] = []


def loopback(settings: DeviceSettings) -> Loopback:
    device = Loopback(np.zeros(0, np.float32), settings.sample_rate, settings.block_samples)
    device.unplugged = bool(UNPLUGGED)
    return device


def identity(persona: Persona, rate: int, mode: str, **_: object) -> VoiceStream:
    return VoiceStream(Identity(), persona, rate)


@pytest.fixture(autouse=True)
def doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    UNPLUGGED.clear()
    monkeypatch.setattr(monitor, "SoundCard", loopback)
    monkeypatch.setattr(monitor, "open_stream", identity)


def test_it_shows_the_status_and_ends_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["monitor", "--seconds", "0.01", "--rate", "24000"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("loopback, 24000 Hz.")
    assert said.rstrip().endswith("no faults")


def test_whoever_interrupts_it_sees_how_it_went(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(monitor.time, "sleep", interrupted)
    assert cli.main(["monitor"]) == cli.INTERRUPTED
    assert capsys.readouterr().out.rstrip().endswith("no faults")


def test_a_device_that_stops_ends_it_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    UNPLUGGED.append(True)
    assert cli.main(["monitor", "--seconds", "0.01"]) == cli.DEVICE
    assert "the sound device loopback has stopped" in capsys.readouterr().err


def test_no_device_ends_it_with_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(settings: DeviceSettings) -> Loopback:
        raise DeviceError("there is no sound device for input on this machine", code="no_device")

    monkeypatch.setattr(monitor, "SoundCard", none)
    assert cli.main(["monitor"]) == cli.DEVICE
    assert "there is no sound device for input" in capsys.readouterr().err


def test_the_list_names_every_device(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = DeviceInfo(3, "Headset", "ALSA", 1, 2, 44_100, "input")
    monkeypatch.setattr(monitor, "list_devices", lambda: [card])
    assert cli.main(["monitor", "--list"]) == 0
    expected = "  3  Headset  (ALSA, 1 in, 2 out, 44100 Hz, default input)\n"
    assert capsys.readouterr().out == expected
    monkeypatch.setattr(monitor, "list_devices", list)
    assert cli.main(["monitor", "--list"]) == 0
    assert capsys.readouterr().out == "no sound devices\n"


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan"])
def test_a_time_must_be_more_than_nothing(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="more than 0"):
        monitor.positive(text)
