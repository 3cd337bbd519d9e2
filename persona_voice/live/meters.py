"""One line of text on how a session does."""

from persona_voice.live.session import SessionStatus

# A bar spans this many dB, up to full scale.
BAR_DB, BAR = 60, 12


def bar(level_db: float) -> str:
    """Of `BAR` signs, full at 0 dBFS."""
    full = round(BAR * (1 + min(max(level_db, -BAR_DB), 0) / BAR_DB))
    return "#" * full + "." * (BAR - full)


def level(level_db: float) -> str:
    return f"{bar(level_db)} {level_db:4.0f} dB"


def hertz(f0_hz: float | None) -> str:
    return "  - " if f0_hz is None else f"{f0_hz:4.0f}"


def line(status: SessionStatus) -> str:
    """Levels in dBFS, speech, F0 before and after, latency, and every fault so far."""
    of = status.stream
    faults = ", ".join(f"{name} {count}" for name, count in sorted(status.faults.items()))
    return (
        f"{status.seconds:6.1f} s  "
        f"in {level(of.input_db)}  out {level(of.output_db)}  "
        f"{'speech' if of.speech else '      '}  "
        f"F0 {hertz(of.f0_in_hz)} > {hertz(of.f0_out_hz)} Hz  "
        f"latency {status.latency_ms:.0f} ms  {faults or 'no faults'}"
    )
