"""Devices without a sound card: the library is a double that knows what the real one would."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from persona_voice.audio import devices
from persona_voice.audio.devices import DeviceInfo, DeviceSettings, SoundCard, choose
from persona_voice.errors import DeviceError


def info(number: int, name: str, inputs: int, outputs: int, default: str = "") -> DeviceInfo:
    return DeviceInfo(number, name, "ALSA", inputs, outputs, 48_000, default)


HEADSET = info(0, "USB Headset: Audio", 1, 2)
CARD = info(1, "Built-in Audio: Analog", 2, 2, "input, output")
SCREEN = info(2, "HDMI Audio", 0, 8)
ALL = [HEADSET, CARD, SCREEN]


@pytest.mark.parametrize(
    ("way", "wanted", "found"),
    [
        ("input", None, CARD),
        ("output", None, CARD),
        ("output", "2", SCREEN),
        ("input", "headset", HEADSET),
        ("output", "HDMI Audio", SCREEN),
    ],
)
def test_a_device_is_chosen_by_default_number_name_or_part(
    way: str, wanted: str | None, found: DeviceInfo
) -> None:
    assert choose(ALL, way, wanted) == found


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (
            "radio",
            "no input device 'radio'; there are: 0 USB Headset: Audio, 1 Built-in Audio: Analog",
        ),
        (
            "audio",
            "more than one input device 'audio'; it may be: "
            "0 USB Headset: Audio, 1 Built-in Audio: Analog",
        ),
        (
            "2",  # it only plays
            "no input device '2'; there are: 0 USB Headset: Audio, 1 Built-in Audio: Analog",
        ),
    ],
)
def test_an_unknown_device_gets_the_right_names(wanted: str, text: str) -> None:
    with pytest.raises(DeviceError) as caught:
        choose(ALL, "input", wanted)
    assert (caught.value.code, str(caught.value)) == ("unknown_device", text)


def test_no_microphone_is_said_so() -> None:
    with pytest.raises(DeviceError) as caught:
        choose([SCREEN], "input", None)
    assert caught.value.code == "no_device"
    assert str(caught.value) == "there is no sound device for input on this machine"


def test_a_missing_library_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DeviceError, match="libportaudio2") as caught:
        devices.list_devices()
    assert caught.value.code == "no_sound_library"


def test_nothing_of_a_sound_card_is_loaded_on_import() -> None:
    program = (
        "import sys, persona_voice.audio.devices, persona_voice.live.session; "
        "sys.exit('sounddevice' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


TIME = SimpleNamespace(currentTime=5.0, outputBufferDacTime=5.03)


class Library(SimpleNamespace):
    """As much of sounddevice as is used."""

    class PortAudioError(Exception):
        pass

    default = SimpleNamespace(device=(1, 1))

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "ALSA"}]

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {
                "name": of.name,
                "hostapi": 0,
                "max_input_channels": of.inputs,
                "max_output_channels": of.outputs,
                "default_samplerate": 48_000.0,
            }
            for of in ALL
        ]

    opened: dict[str, dict[str, Any]]
    closed: list[str]
    broken: str = ""

    def open(self, way: str, settings: dict[str, Any]) -> Any:
        if settings["samplerate"] == 11_111 or self.broken == f"open {way}":
            raise self.PortAudioError("Invalid sample rate")
        self.opened[way] = settings

        def start() -> None:
            if self.broken == f"start {way}":
                raise self.PortAudioError("busy")

        def close() -> None:
            self.closed.append(way)

        return SimpleNamespace(latency={"in": 0.01, "out": 0.02}[way], start=start, close=close)

    def InputStream(self, **settings: Any) -> Any:  # noqa: N802, the library's name
        return self.open("in", settings)

    def OutputStream(self, **settings: Any) -> Any:  # noqa: N802, the library's name
        return self.open("out", settings)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    double = Library(opened={}, closed=[])
    monkeypatch.setattr(devices, "_library", lambda: double)
    return double


def test_the_list_is_what_the_library_knows(library: Library) -> None:
    assert devices.list_devices() == ALL


def test_a_card_is_mono_inside_whatever_its_channels(library: Library) -> None:
    card = SoundCard(DeviceSettings("headset", "hdmi", 48_000, 0.1))
    assert [library.opened[way]["device"] for way in ("in", "out")] == [0, 2]
    assert [library.opened[way]["channels"] for way in ("in", "out")] == [1, 2]
    assert card.latency_ms == pytest.approx(30)
    heard: list[list[float]] = []

    def hear(block: Any, overrun: bool) -> None:
        heard.append([*block, overrun])

    def play(out: Any, underrun: bool) -> None:
        out[:] = [1, 2, 3, 4, 5 + underrun]

    stereo = np.array([[1, 3], [2, 2], [0, 1], [0, 0], [4, 6]], np.float32)
    out = np.full((5, 2), np.nan, np.float32)
    flags = SimpleNamespace(input_overflow=True, output_underflow=True)
    library.opened["in"]["callback"](stereo, 5, TIME, flags)
    library.opened["out"]["callback"](out, 5, TIME, flags)
    assert not out.any()  # nobody listens yet
    card.start(hear, play)
    library.opened["in"]["callback"](stereo, 5, TIME, flags)
    library.opened["out"]["callback"](out, 5, TIME, flags)
    assert heard == [[2, 2, 0.5, 0, 5, True]]
    np.testing.assert_array_equal(out, np.repeat([[1], [2], [3], [4], [6]], 2, axis=1))


def underruns(
    library: Library, late_s: dict[int, float], flagged: tuple[int, ...] = (), blocks: int = 300
) -> list[int]:
    """In which of the blocks of 10 ms an underrun is told, where the output stands `late_s` from some on."""
    card = SoundCard(DeviceSettings())
    told: list[bool] = []
    card.start(lambda *_: None, lambda _, underrun: told.append(underrun))
    unrest = np.random.default_rng(1).uniform(-0.002, 0.002, blocks)
    late = 0.0
    for block in range(blocks):
        late += late_s.get(block, 0.0)
        drift = 1e-4 * block / 100
        due = 5.0 + block / 100 + late + drift + unrest[block] - 0.03 * (block % 50 == 7)
        time = SimpleNamespace(currentTime=due - 0.03, outputBufferDacTime=due)
        flags = SimpleNamespace(output_underflow=block in flagged)
        library.opened["out"]["callback"](np.zeros((480, 2), np.float32), 480, time, flags)
    return [block for block, underrun in enumerate(told) if underrun]


def test_a_driver_whose_clock_is_unsteady_and_drifts_has_not_run_dry(library: Library) -> None:
    assert underruns(library, {}) == []
    assert underruns(library, {5: 0.03}) == []  # it fills its buffer first
    assert underruns(library, {100: -0.02}) == []


@pytest.mark.parametrize("late_s", [0.004, 0.01, 0.11])
def test_a_server_that_ran_dry_without_a_word_is_an_underrun_once(
    library: Library, late_s: float
) -> None:
    for at in (60, 69, 75, 79):
        (told,) = underruns(library, {at: late_s})
        assert at <= told < at + 40
    assert len(underruns(library, {100: late_s, 150: late_s, 200: late_s})) == 3


def test_what_the_driver_flags_is_told_at_once_and_not_twice(library: Library) -> None:
    assert underruns(library, {110: 0.08}, flagged=(110,)) == [110]
    assert underruns(library, {}, flagged=(0, 50)) == [0, 50]
    assert underruns(library, {110: 0.08, 200: 0.01}, flagged=(110,)) == [110, 210]


@pytest.mark.parametrize("broken", ["open out", "start in", "start out"])
def test_of_a_card_that_fails_half_way_nothing_stays_open(library: Library, broken: str) -> None:
    library.broken = broken
    with pytest.raises(DeviceError) as caught:
        SoundCard(DeviceSettings()).start(lambda *_: None, lambda *_: None)
    assert caught.value.code == "device_failed"
    assert sorted(library.closed) == sorted(library.opened)


def test_a_card_that_refuses_says_what_and_why(library: Library) -> None:
    with pytest.raises(DeviceError) as caught:
        SoundCard(DeviceSettings(sample_rate=11_111))
    assert caught.value.code == "device_failed"
    assert str(caught.value) == (
        "the sound device Built-in Audio: Analog cannot be used at 11111 Hz: Invalid sample rate"
    )


def test_a_card_that_stops_by_itself_has_failed_one_that_is_stopped_has_not(
    library: Library,
) -> None:
    card = SoundCard(DeviceSettings())
    card.check()
    library.opened["out"]["finished_callback"]()
    with pytest.raises(DeviceError, match="has stopped") as caught:
        card.check()
    assert caught.value.code == "device_failed"
    other = SoundCard(DeviceSettings())
    other.stop()
    library.opened["out"]["finished_callback"]()
    other.check()
