import pytest

from persona_voice.live.meters import bar, line
from persona_voice.live.session import SessionStatus
from persona_voice.path.stream import StreamStatus


def test_the_line_shows_levels_speech_f0_latency_and_faults() -> None:
    stream = StreamStatus(input_db=-30, output_db=-15, speech=True, f0_in_hz=110.4, f0_out_hz=205.6)
    status = SessionStatus(stream, 12.34, 95.2, {"output_underrun": 1, "late": 2})
    assert line(status) == (
        "  12.3 s  in ######......  -30 dB  out #########...  -15 dB  speech  "
        "F0  110 >  206 Hz  latency 95 ms  late 2, output_underrun 1"
    )


def test_the_line_keeps_its_length_when_nobody_speaks() -> None:
    quiet = line(SessionStatus(StreamStatus(), 12.34, 95.2))
    assert quiet.endswith("F0   -  >   -  Hz  latency 95 ms  no faults")
    loud = line(SessionStatus(StreamStatus(-9, -12, True, 100, 200), 12.34, 95.2))
    assert len(quiet) == len(loud)


@pytest.mark.parametrize(("level_db", "full"), [(-120, 0), (-60, 0), (-30, 6), (0, 12), (6, 12)])
def test_a_bar_is_full_at_full_scale(level_db: float, full: int) -> None:
    assert bar(level_db) == "#" * full + "." * (12 - full)
