"""A real sound server, a real session, five minutes: faults, latency, tears, share of a core.

A private PulseAudio has one sink of two channels: what is played to the left is the microphone,
the right is the loudspeaker. Both are recorded as one stream, so that the time between them is
that of everything: server, driver, session and path. What the path made is kept, and must be what
the loudspeaker got, sample by sample.

    recordings, in a loop ─▶ left ─▶ (record)
                              └────▶ microphone ─▶ session ─▶ loudspeaker ─▶ right ─▶ (record)
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

from benches import report
from benches.latency import envelope_lag_ms
from benches.report import Result
from benches.sources import STREAM_RATE, Engines, Samples, recordings
from benches.streaming import StreamSettings, run
from persona_voice.audio.devices import DeviceSettings, SoundCard
from persona_voice.live.realtime import realtime
from persona_voice.live.session import Session
from persona_voice.path.stream import StreamStatus, VoiceStream

MODULES = (
    "module-native-protocol-unix",
    # Without `norewinds` a null sink waits two seconds at a time, and starts as slowly.
    "module-null-sink sink_name=both rate=48000 channels=2 norewinds=1",
    "module-remap-sink sink_name=said master=both channels=1 channel_map=mono "
    "master_channel_map=front-left remix=no",
    "module-remap-sink sink_name=loudspeaker master=both channels=1 channel_map=mono "
    "master_channel_map=front-right remix=no",
    "module-remap-source source_name=microphone master=both.monitor channels=1 "
    "channel_map=mono master_channel_map=front-left remix=no",
)
# A process beside, which asks for two milliseconds of sleep and notes when it gets ten more: then it
# is the machine that gives no time, and no program on it can keep up without so much in hand.
IDLER = """
import time
last = time.monotonic()
while True:
    time.sleep(0.002)
    now = time.monotonic()
    if now - last > 0.012:
        print(round(1000 * (now - last) - 2, 1), flush=True)
    last = now
"""
# The session, the player and the recorder start one after the other; this much is not judged.
SETTLE_S = 5.0
# The sound server keeps 16 bits; what differs by more is another sound.
SAME = 1e-3
PLANTED = 0.01
SEED = 20261122


@contextmanager
def sound_server() -> Iterator[None]:
    """A private PulseAudio, which this process and its children then use."""
    with tempfile.TemporaryDirectory(prefix="persona-voice-") as folder:
        private = {"XDG_RUNTIME_DIR": folder, "PULSE_SINK": "loudspeaker"}
        private |= {"PULSE_SOURCE": "microphone", "XDG_CONFIG_HOME": folder}
        before = {name: os.environ.get(name) for name in private}
        os.environ.update(private)
        words = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--log-target=stderr"]
        words += [word for module in MODULES for word in ("-L", module)]
        log = Path(folder) / "log"
        with log.open("w") as errors:
            server = subprocess.Popen(words, stderr=errors)
            try:
                wait_for_server(log)
                yield
            finally:
                server.terminate()
                server.wait()
                for name, value in before.items():
                    os.environ.pop(name)
                    if value is not None:
                        os.environ[name] = value


def wait_for_server(log: Path) -> None:
    for _ in range(100):
        sources = subprocess.run(
            ["pactl", "list", "short", "sources"], capture_output=True, text=True, check=False
        )
        if "microphone" in sources.stdout:
            return
        time.sleep(0.1)
    sys.exit(f"PulseAudio did not start: {log.read_text()[-500:]}")


def looped_speech(seconds: float) -> Samples:
    """All recordings in a row, as often as it takes."""
    once = np.concatenate([of.samples for of in recordings(Engines(Path(), Path()))])
    return np.resize(once, int(seconds * STREAM_RATE))


def live(
    settings: StreamSettings, options: argparse.Namespace, folder: Path
) -> tuple[Result, Samples]:
    """Runs the session while a player and a recorder run beside it; what it counted and made."""
    said, heard = folder / "said.wav", folder / "heard.raw"
    total = options.seconds + 2 * SETTLE_S
    soundfile.write(said, looped_speech(total + SETTLE_S), STREAM_RATE)
    path = settings.open()
    path.process(np.zeros(STREAM_RATE, np.float32))  # torch takes its time at first
    path.reset()
    stream = Kept(path)
    device = SoundCard(
        DeviceSettings(None, None, STREAM_RATE, options.block_ms, options.headroom_ms)
    )
    record = ["parec", "-d", "both.monitor", "--raw", "--format=float32le", "--channels=2"]
    session = Session(stream, device, options.headroom_ms)
    with heard.open("wb") as file, realtime(), session:
        player = subprocess.Popen(["paplay", "-d", "said", said])
        recorder = subprocess.Popen([*record, f"--rate={STREAM_RATE}"], stdout=file)
        idler = subprocess.Popen([sys.executable, "-c", IDLER], stdout=subprocess.PIPE, text=True)
        try:
            time.sleep(SETTLE_S)
            counted = watch(session, options.seconds)
            time.sleep(SETTLE_S / 2)
        finally:
            for child in (player, recorder, idler):
                child.terminate()
                child.wait()
        counted["latency_stated_ms"] = session.status.latency_ms
        counted["latency_of_device_stated_ms"] = device.latency_ms
    stood_still = [float(line) for line in idler.communicate()[0].split()]
    counted["machine_stood_still_ms"] = {
        "times": len(stood_still),
        "most": max(stood_still, default=0.0),
    }
    return counted, np.concatenate(stream.made)


def watch(session: Session, seconds: float) -> Result:
    """Counts from now on: faults in all and each minute, the device's clock, processor time."""
    began, cpu, first = time.monotonic(), time.process_time(), session.status
    minutes: list[dict[str, int]] = []
    newest = first
    while (past := time.monotonic() - began) < seconds:
        time.sleep(min(60.0, seconds - past))
        status = session.status
        minutes.append(since(newest.faults, status.faults))
        newest = status
        print(f"{time.monotonic() - began:5.0f} s: {minutes[-1] or 'no faults'}", flush=True)
    wall = time.monotonic() - began
    return {
        "seconds": round(wall, 1),
        "seconds_on_the_device": round(newest.seconds - first.seconds, 2),
        "faults": since(first.faults, newest.faults),
        "faults_before": first.faults,
        "faults_each_minute": minutes,
        "cpu_share": round((time.process_time() - cpu) / wall, 3),
        "load_1min_after": round(os.getloadavg()[0], 2),
    }


def since(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    rest = {name: count - before.get(name, 0) for name, count in after.items()}
    return {name: count for name, count in rest.items() if count}


class Kept:
    """A stream that keeps what it made."""

    def __init__(self, stream: VoiceStream) -> None:
        self.stream, self.made = stream, [np.zeros(0, np.float32)]

    @property
    def latency_samples(self) -> int:
        return self.stream.latency_samples

    @property
    def status(self) -> StreamStatus:
        return self.stream.status

    def process(self, block: Samples, /) -> Samples:
        out = self.stream.process(block)
        self.made.append(out.copy())
        return out


def tears(made: Samples, heard: Samples, sample_rate: int) -> list[tuple[int, int]]:
    """Where `heard` ceases to be `made`, sample by sample: positions in `heard`, and how many samples
    of `made` were left out there (negative: came twice, or silence between). Nothing of `made` may be
    missing, doubled or altered; a click is one of these.
    """
    step, found = sample_rate // 10, []
    place = located(made, heard[: 50 * step])
    at = 0
    while at + step <= len(heard):
        wanted = made[place + at : place + at + step]
        if len(wanted) < step:
            break  # the recorder heard more than was kept
        other = ~(np.abs(heard[at : at + step] - wanted) < SAME)
        start = at + int(np.argmax(other))
        at += step
        if not other.any():
            continue
        if at + 5 * step > len(heard):
            break
        near = max(place + at - 5 * step, 0)
        piece = heard[at : at + 5 * step]
        now = near + located(made[near : near + 15 * step], piece, place + at - near) - at
        if found and start - found[-1][0] < step:  # one that reaches over the end of a piece
            start, before = found.pop()
            found.append((start, before + now - place))
        else:
            found.append((start, now - place))
        place = now
    return found


def located(made: Samples, piece: Samples, expected: int = 0) -> int:
    """Where in `made` the piece is; of places that are as good, as in silence, the nearest to `expected`."""
    wide = made.astype(np.float64)
    power = np.concatenate([[0.0], np.cumsum(wide**2)])
    both = power[len(piece) :] - power[: -len(piece)] + float(np.sum(piece.astype(np.float64) ** 2))
    off = both - 2 * scipy.signal.correlate(wide, piece.astype(np.float64), "valid", "fft")
    good = np.flatnonzero(off <= off.min() + len(piece) * SAME**2)
    return int(good[np.argmin(np.abs(good - expected))])


def planted_and_found(heard: Samples, sample_rate: int, most: int = 50) -> dict[str, int]:
    """Places where a sample is left out or a step of `PLANTED` is added, `most` of them, and how many show.

    In sound that goes on for half a second, and a second apart, as many as there is room for: of silence
    nobody can say that a sample is missing.
    """
    rng = np.random.default_rng(SEED)
    tenth = sample_rate // 10
    power = (heard[: len(heard) // tenth * tenth].reshape(-1, tenth).astype(np.float64) ** 2).mean(
        1
    )
    least = np.lib.stride_tricks.sliding_window_view(power, 7).min(1)
    loud = np.flatnonzero(least > power.mean() / 100)
    places: list[int] = []
    for at in rng.permutation(loud[(loud > 10) & (loud < len(power) - 10)]):
        if all(abs(at - other) > 10 for other in places) and len(places) < most:
            places.append(int(at))
    parts, last = [], 0
    for number, place in enumerate(np.sort(places) * tenth + tenth // 2):
        parts.append(heard[last:place])
        last = place + number % 2  # every second one lacks a sample
        if number % 2 == 0:
            parts.append(heard[last : last + 48] + np.float32(PLANTED))
            last += 48
    spoilt = np.concatenate([*parts, heard[last:]])
    return {"planted": len(places), "found": len(tears(heard, spoilt, sample_rate))}


def lags(said: Samples, heard: Samples) -> dict[str, float | None]:
    """Measured latency by the envelopes, over stretches of 20 s: if it moves, it shows."""
    step = 20 * STREAM_RATE
    starts = range(0, len(said) - step + 1, step)
    each = [
        envelope_lag_ms(said[start : start + step], heard[start : start + step], STREAM_RATE)
        for start in starts
    ]
    there = [of for of in each if of is not None]
    if not there:
        return {"median": None, "least": None, "most": None}
    named = {"median": float(np.median(there)), "least": min(there), "most": max(there)}
    return {name: round(value, 1) for name, value in named.items()}


def judge(recorded: Samples, made: Samples, settings: StreamSettings) -> Result:
    """Latency and tears from the two channels; the same sound converted from a file beside it."""
    said, heard = np.ascontiguousarray(recorded.T)
    offline = run(settings.open(), said)
    minutes = len(said) / STREAM_RATE / 60
    result: Result = {
        "recorded_seconds": round(60 * minutes, 1),
        "latency_measured_ms": lags(said, heard),
        "latency_of_path_stated_ms": 1000 * offline.latency_samples / STREAM_RATE,
        "latency_of_path_measured_ms": lags(said, offline.output[: len(said)]),
        "tears": [
            {"second": round(at / STREAM_RATE, 3), "samples_left_out": lost}
            for at, lost in tears(made, heard, STREAM_RATE)
        ],
    }
    if len(heard) > 120 * STREAM_RATE:
        result["tears_in_a_spoilt_copy"] = planted_and_found(heard, STREAM_RATE)
    return result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--weights", type=Path, help="a weights file, or a folder that holds one")
    parser.add_argument("--mode", choices=("live", "studio"), default="live")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--block-ms", type=float, default=10.0)
    parser.add_argument("--headroom-ms", type=float, default=20.0)
    parser.add_argument("--record", type=Path, help="keep both channels in this sound file")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    for program in ("pulseaudio", "pactl", "paplay", "parec"):
        if shutil.which(program) is None:
            sys.exit(f"no program {program} on this machine (Debian: pulseaudio, pulseaudio-utils)")
    settings = StreamSettings(options.mode, STREAM_RATE, options.weights)
    with tempfile.TemporaryDirectory() as folder:
        with sound_server():
            counted, made = live(settings, options, Path(folder))
        recorded = np.fromfile(Path(folder) / "heard.raw", np.float32)
    recorded = recorded[: len(recorded) // 2 * 2].reshape(-1, 2)
    # By then the player is on its way.
    recorded = recorded[int(SETTLE_S * STREAM_RATE) :]
    if options.record:
        soundfile.write(options.record, recorded, STREAM_RATE)
    counted |= judge(recorded, made, settings)
    for name, value in counted.items():
        print(f"{name}: {value}")
    with_device = {"block_ms": options.block_ms, "headroom_ms": options.headroom_ms}
    result = report.circumstances("monitor", settings.as_json() | with_device)
    report.write(result | counted, options.json)
