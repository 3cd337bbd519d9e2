import json
import sys
from pathlib import Path

import numpy as np
import pytest

from persona_voice.errors import SourceError
from persona_voice.sources.kokoro import KokoroSource, phonemes
from persona_voice.sources.source import open_source


class Session:
    """Answers as the network does: some samples for each token, from the style's first number."""

    def run(self, _names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        tokens, style = feed["tokens"], feed["style"]
        assert tokens.dtype == np.int64
        assert style.shape == (1, 256)
        return [np.full(600 * (tokens.shape[1] - 2), style[0, 0], np.float32)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "kokoro-v1.0.int8.onnx").write_bytes(b"")
    vocabulary = {sign: number for number, sign in enumerate("hələw.?tʃʧ", start=1)}
    (tmp_path / "vocab.json").write_text(json.dumps({"vocab": vocabulary}))
    pack = np.arange(510, dtype=np.float16)[:, None].repeat(256, axis=1)
    np.savez(tmp_path / "voices.npz", af_heart=pack, bm_lewis=pack)
    monkeypatch.setattr("persona_voice.sources.kokoro._session", lambda _model: Session())
    return tmp_path


def test_ipa_is_spelt_as_the_network_was_taught() -> None:
    assert phonemes("tʃˈiːz (en)ɡɹˈeɪt", 'Cheese great?"') == "ʧˈiz ɡɹˈAt?"
    assert phonemes("həlˈoʊ", "hello") == "həlˈO"


def test_the_style_is_the_row_of_the_number_of_phonemes(folder: Path) -> None:
    with KokoroSource(folder) as source:
        samples = np.concatenate(list(source.speak("Hello.")))
    assert len(samples) == 600 * samples[0]
    assert samples[0] > 3


def test_a_text_of_too_many_phonemes_is_spoken_in_parts(folder: Path) -> None:
    with open_source(f"kokoro:{folder}", "bm_lewis") as source:
        samples = np.concatenate(list(source.speak("hello " * 300)))
    assert samples[0] == 509
    assert len(samples) > 600 * 509


def test_an_unknown_voice_gets_the_right_names(folder: Path) -> None:
    with pytest.raises(SourceError, match="af_heart, bm_lewis") as caught:
        KokoroSource(folder, "nobody")
    assert caught.value.code == "source_refused"


def test_a_folder_without_the_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"kokoro-v1\.0\.int8\.onnx, vocab\.json") as caught:
        open_source(f"kokoro:{tmp_path}")
    assert caught.value.code == "source_missing"


def test_a_machine_without_onnxruntime_is_told_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SourceError, match="pip install") as caught:
        KokoroSource(folder)
    assert caught.value.code == "source_missing"
