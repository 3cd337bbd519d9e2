"""Files of every kind come in; a file goes out whole or not at all."""

import gc
import resource
from pathlib import Path

import numpy as np
import pytest
import soundfile

from persona_voice.audio.files import SoundReader, SoundWriter
from persona_voice.errors import AudioFileError

TONE = (0.3 * np.sin(np.arange(4_800) / 7)).astype(np.float32)


def code_of(path: Path) -> str:
    with pytest.raises(AudioFileError) as caught, SoundReader(path) as reader:
        list(reader.blocks())
    assert "\n" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_every_depth_and_channel_count_becomes_mono_float32(
    tmp_path: Path, subtype: str, channels: int
) -> None:
    path = tmp_path / "in.wav"
    gains = np.linspace(0.5, 1.5, channels) if channels > 1 else np.ones(1)
    soundfile.write(path, TONE[:, None] * gains, 8_000, subtype)
    with SoundReader(path) as reader:
        blocks = list(reader.blocks(0.1))
        assert (reader.sample_rate, reader.num_samples) == (8_000, 4_800)
    assert [len(block) for block in blocks] == [800] * 6
    assert all(block.dtype == np.float32 and block.ndim == 1 for block in blocks)
    assert np.abs(np.concatenate(blocks) - TONE).max() < (0.01 if subtype == "PCM_U8" else 1e-4)


def test_bad_files_are_refused_each_with_its_code(tmp_path: Path) -> None:
    assert code_of(tmp_path / "none.wav") == "no_file"
    (tmp_path / "text.wav").write_text("not a sound")
    assert code_of(tmp_path / "text.wav") == "not_audio"
    assert code_of(tmp_path) == "not_audio"
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    assert code_of(tmp_path / "empty.wav") == "empty_file"
    soundfile.write(tmp_path / "slow.wav", TONE, 4_000)
    assert code_of(tmp_path / "slow.wav") == "rate_out_of_range"
    soundfile.write(tmp_path / "many.wav", np.zeros((100, 9)), 16_000)
    assert code_of(tmp_path / "many.wav") == "too_many_channels"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_refused_with_its_time(tmp_path: Path, bad: float) -> None:
    samples = TONE.copy()
    samples[2_400] = bad
    soundfile.write(tmp_path / "bad.wav", samples, 8_000, "FLOAT")
    assert code_of(tmp_path / "bad.wav") == "non_finite"
    with pytest.raises(AudioFileError, match="at 0.300 s"), SoundReader(tmp_path / "bad.wav") as r:
        list(r.blocks())


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_what_is_written_can_be_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"
    with SoundWriter(path, 16_000) as writer:
        writer.write(TONE[:1000])
        writer.write(TONE[1000:])
    assert soundfile.info(str(path)).frames >= len(TONE)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_nothing_appears_and_the_old_file_stays_when_writing_stops_half_way(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), SoundWriter(path, 16_000) as writer:
        writer.write(TONE)
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.wav"]


def test_an_interrupt_before_anybody_holds_the_writer_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        assert len(list(tmp_path.glob(".out.wav.*.part"))) == 1
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(soundfile, "SoundFile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            SoundWriter(tmp_path / "out.wav", 16_000)
    gc.collect()  # the traceback held it
    assert list(tmp_path.iterdir()) == []
    writer = SoundWriter(tmp_path / "out.wav", 16_000)
    assert len(list(tmp_path.iterdir())) == 1
    del writer  # as between the constructor and the `with`
    assert list(tmp_path.iterdir()) == []


def test_places_and_names_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError) as caught:
        SoundWriter(tmp_path / "no" / "out.wav", 16_000)
    assert caught.value.code == "cannot_write"
    with pytest.raises(AudioFileError, match="got .xyz") as caught:
        SoundWriter(tmp_path / "out.xyz", 16_000)
    assert caught.value.code == "unknown_format"


def test_more_than_a_wav_file_holds_is_refused_before_the_first_sample(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="a wav file holds 2 GB") as caught:
        SoundWriter(tmp_path / "out.wav", 16_000, num_samples=2**30)
    assert caught.value.code == "cannot_write"
    assert list(tmp_path.iterdir()) == []
    with SoundWriter(tmp_path / "out.flac", 16_000, num_samples=2**30) as writer:
        writer.write(TONE)


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_a_file_that_finds_no_room_leaves_nothing(tmp_path: Path, ending: str) -> None:
    """A limit on the file's size stands in for a full disk: the same short write."""
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 200_000).astype(np.float32)
    try:
        with (
            pytest.raises(AudioFileError) as caught,
            SoundWriter(tmp_path / f"out.{ending}", 16_000) as writer,
        ):
            for at in range(0, len(noise), 10_000):
                writer.write(noise[at : at + 10_000])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.code == "cannot_write"
    assert list(tmp_path.iterdir()) == []
