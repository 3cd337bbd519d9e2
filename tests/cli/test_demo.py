import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from persona_voice.cli import demo
from persona_voice.cli.main import main
from persona_voice.cli.picture import Pair, contour, draw

RATE = 16_000


def vowel(f0_hz: float, seconds: float = 1.0) -> np.ndarray:
    moments = np.arange(round(seconds * RATE)) / RATE
    harmonics = [np.sin(2 * np.pi * k * f0_hz * moments) / k for k in range(1, 15)]
    return (0.2 * np.sum(harmonics, axis=0)).astype(np.float32)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One recording's first second, and one spoken word: the whole takes too long for a test."""
    folder = Path(demo.__file__).parents[1] / "assets" / "recordings"
    whole, rate = soundfile.read(folder / "arctic_awb_en_m.flac", dtype="float32")
    some = [("person", rate, whole[:rate]), ("espeak", 22_050, np.zeros(11_111, np.float32))]
    monkeypatch.setattr(demo, "_sources", lambda: iter(some))


@pytest.mark.usefixtures("short")
def test_it_writes_sounds_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert re.search(r"person +1\.0 s +\d+ samples +\d+\.\d ms +\d+\.\d\d", told)
    assert {file.name for file in out.iterdir()} == {
        "person_source.wav",
        "person_persona.wav",
        "espeak_source.wav",
        "espeak_persona.wav",
        "demo.png",
    }
    assert all(str(file) in told for file in out.iterdir())
    before, after = (soundfile.read(out / f"person_{kind}.wav") for kind in ("source", "persona"))
    assert before[1] == after[1]
    assert len(before[0]) == len(after[0])
    assert np.abs(after[0]).max() > 0.01
    assert not np.allclose(before[0], after[0], atol=0.01)


def test_its_sources_are_the_recordings_and_a_spoken_sentence() -> None:
    sources = list(demo._sources())
    assert [name for name, _, _ in sources][-1] == "espeak"
    assert {"kennedy_en_m", "sonnet_en_f"} <= {name for name, _, _ in sources}
    assert all(len(samples) > rate for _, rate, samples in sources)


@pytest.mark.usefixtures("short")
def test_without_matplotlib_the_sounds_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["demo", "--out", str(tmp_path)]) == 0
    assert "it needs matplotlib" in capsys.readouterr().out
    assert len(list(tmp_path.glob("*.wav"))) == 4
    assert not list(tmp_path.glob("*.png"))


def test_a_folder_that_cannot_be_made_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    assert main(["demo", "--out", str(tmp_path / "taken")]) == 1
    assert "must be a folder" in capsys.readouterr().err


@pytest.mark.parametrize("f0_hz", [110.0, 220.0])
def test_the_drawn_contour_is_the_f0_at_its_moment(f0_hz: float) -> None:
    # Silence, then a second of voice: its beginning must be drawn where it is.
    samples = np.concatenate([np.zeros(RATE // 2, np.float32), vowel(f0_hz)])
    seconds, found = contour(samples, RATE)
    voiced = ~np.isnan(found)
    assert seconds[voiced][0] == pytest.approx(0.5, abs=0.04)
    assert np.median(found[voiced]) == pytest.approx(f0_hz, rel=0.01)
    assert len(seconds) == pytest.approx(150, abs=1)


def test_the_picture_has_a_row_for_each_pair(tmp_path: Path) -> None:
    import matplotlib.image

    pair = Pair("vowel", RATE, vowel(110), vowel(220))
    heights = []
    for count in (1, 3):
        draw([pair] * count, tmp_path / "demo.png")
        image = matplotlib.image.imread(tmp_path / "demo.png")
        heights.append(image.shape[0])
        assert image.std() > 0.1
    assert heights[1] > 2 * heights[0]
    assert [file.name for file in tmp_path.iterdir()] == ["demo.png"]
