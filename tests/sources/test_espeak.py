import os
import signal
import time
from collections.abc import Iterator

import numpy as np
import pytest

from persona_voice.errors import SettingError, SourceError
from persona_voice.sources.espeak import EspeakSource, EspeakWorker
from persona_voice.sources.source import open_source

TEXT = "A sentence of some length, which a machine speaks in its own voice."


@pytest.fixture
def source() -> Iterator[EspeakSource]:
    with EspeakSource() as opened:
        yield opened


def whole(source: EspeakSource, text: str) -> np.ndarray:
    return np.concatenate(list(source.speak(text)))


def test_speech_comes_in_many_blocks_of_float32(source: EspeakSource) -> None:
    blocks = list(source.speak(TEXT))
    assert len(blocks) > 20
    assert all(block.dtype == np.float32 and block.ndim == 1 for block in blocks)
    samples = np.concatenate(blocks)
    assert 3 < len(samples) / source.sample_rate < 7
    assert 0.1 < np.abs(samples).max() <= 1


def test_an_utterance_left_in_the_middle_does_not_reach_into_the_next(source: EspeakSource) -> None:
    expected = whole(source, "One.")
    left = source.speak(TEXT)
    next(left)
    left.close()
    assert abs(len(whole(source, "One.")) - len(expected)) < source.sample_rate // 10


def test_a_crash_is_an_error_and_the_next_call_starts_anew(source: EspeakSource) -> None:
    first = source._worker._process
    assert first is not None
    speech = source.speak(TEXT * 50)
    next(speech)
    os.kill(first.pid, signal.SIGKILL)
    with pytest.raises(SourceError, match="ended unasked") as caught:
        list(speech)
    assert caught.value.code == "source_crashed"
    assert len(whole(source, "One.")) > 1000
    assert source._worker._process is not None
    assert source._worker._process.pid != first.pid


def test_a_process_that_died_between_two_sentences_is_replaced(source: EspeakSource) -> None:
    first = source._worker._process
    assert first is not None
    first.kill()
    first.wait()
    assert len(whole(source, "One.")) > 1000


def test_the_last_line_of_a_failed_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    broken = (sys.executable, "-c", "import sys; sys.exit('no library here')")
    monkeypatch.setattr("persona_voice.sources.espeak.WORKER", broken)
    with pytest.raises(SourceError, match="no library here") as caught:
        EspeakSource()
    assert caught.value.code == "source_crashed"


def test_an_unknown_voice_is_refused_and_the_process_lives_on() -> None:
    with open_source("espeak", "nonsense") as source:
        with pytest.raises(SourceError, match="nonsense") as caught:
            list(source.speak("One."))
        assert caught.value.code == "source_refused"


def test_closing_ends_the_process() -> None:
    source = EspeakSource()
    process = source._worker._process
    assert process is not None
    source.close()
    deadline = time.monotonic() + 5
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is not None


def test_phonemes_come_by_the_same_pipe() -> None:
    worker = EspeakWorker()
    try:
        ipa = b"".join(worker.ask(op="phonemes", text="cheese", voice="en-us")).decode()
    finally:
        worker.close()
    assert "iː" in ipa


@pytest.mark.parametrize("spec", ["", "espaek", "espeak:x", "commando:x"])
def test_an_unknown_source_gets_the_right_names(spec: str) -> None:
    with pytest.raises(SettingError, match="espeak, kokoro") as caught:
        open_source(spec)
    assert caught.value.code == "unknown_source"
