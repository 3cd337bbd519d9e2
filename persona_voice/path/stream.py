"""The whole path as one stream: any speech in, the persona out, block by block.

    in ─ resample ─┬─ log-mel ─ convert ──────────────┬─ vocode ─ wait ─ limit ─ resample ─ out
                   ├─ F0 ─ shape ─ (wait for convert) ┘
                   └─ VAD, level: the status

Analysis, conversion and synthesis run hop by hop at 24 kHz; ``wait`` hands out as many samples as
came in. Whatever fails, the output fades to silence within a hop, and a counted fault says so.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from persona_voice import _core
from persona_voice.converter import SILENT, Converter, Frames
from persona_voice.errors import SettingError, StreamError
from persona_voice.persona.persona import Persona
from persona_voice.units import MAX_RATE, MIN_RATE

Samples = npt.NDArray[np.float32]

# Peaks above this are held back: a little under full scale, for converters that overshoot.
CEILING_DB = -1.0
NOISE_SEED = 0x5A3A47A
SILENCE_DB = -120.0
# Log-mel below which, in every band, a frame is digital silence: -87 dB. Nobody speaks there, and
# what the network would make of it is not speech either.
SILENT_MEL = -20.0


@dataclass(frozen=True)
class StreamStatus:
    """What the newest hop was like, and what has gone wrong so far."""

    input_db: float = SILENCE_DB
    output_db: float = SILENCE_DB
    speech: bool = False
    f0_in_hz: float | None = None
    f0_out_hz: float | None = None
    faults: dict[str, int] = field(default_factory=dict)


class VoiceStream:
    """One live stream of one persona. Not to be shared between threads; make one for each.

    Parameters
    ----------
    converter : Converter
    persona : Persona
    sample_rate : int
        Of both ends, in Hz, 8,000 to 192,000.

    Streaming
    ---------
    Any block length, zero too; as many samples out as in. The output trails the input by
    ``latency_samples``: the two resamplers, the converter's look-ahead, one hop, the vocoder, the
    limiter.

    Raises
    ------
    SettingError
        ``out_of_range`` for the sample rate.
    """

    _waiting: Samples
    _surplus: Samples
    _newest: StreamStatus

    def __init__(self, converter: Converter, persona: Persona, sample_rate: int) -> None:
        if not MIN_RATE <= sample_rate <= MAX_RATE:
            raise SettingError(
                f"sample_rate must lie in {MIN_RATE}..={MAX_RATE} Hz, got {sample_rate}",
                code="out_of_range",
            )
        self.sample_rate = sample_rate
        self.persona = persona
        self._converter = converter
        self._resample_in = _core.Resampler(sample_rate, _core.RATE)
        self._resample_out = _core.Resampler(_core.RATE, sample_rate)
        self._log_mel, self._f0 = _core.LogMel(), _core.F0Tracker()
        self._vad, self._loudness = _core.Vad(), _core.Loudness()
        self._prosody = _core.Prosody(persona.register_hz, persona.range)
        self._vocoder = _core.Vocoder(NOISE_SEED)
        self._limiter = _core.Limiter(CEILING_DB)
        self._late_hops = (converter.lookahead - self._f0.lookahead) // _core.HOP
        # Once: a part that is at work on another thread may not be asked.
        self._latency_samples = self._sum_of_latencies()
        self._begin()

    @property
    def latency_samples(self) -> int:
        """Samples, at ``sample_rate``, by which the output trails the input, to the nearest one.

        As `status`, it may be read from any thread while another processes.
        """
        return self._latency_samples

    def _sum_of_latencies(self) -> int:
        inside = (
            self._resample_in.latency
            + self._converter.lookahead
            + _core.HOP
            + self._vocoder.latency
            + self._limiter.latency
        )
        return round(inside * self.sample_rate / _core.RATE) + self._resample_out.latency

    @property
    def status(self) -> StreamStatus:
        return replace(self._newest, faults=dict(self._faults))

    def process(self, block: Samples) -> Samples:
        """Converts a block, float32 ``[samples]``; as many samples come back.

        Raises
        ------
        StreamError
            ``wrong_array`` for anything but one dimension of float32.
        """
        if not isinstance(block, np.ndarray) or block.dtype != np.float32 or block.ndim != 1:
            got = (
                f"{block.dtype} of shape {block.shape}"
                if isinstance(block, np.ndarray)
                else repr(type(block))
            )
            raise StreamError(
                f"a block must be a float32 array of one dimension, got {got}", code="wrong_array"
            )
        inside = self._resample_in.process(self._finite(block))
        frames = self._analyse(inside)
        if len(frames):
            self._waiting = np.concatenate([self._waiting, self._vocoder.process(frames)])
        ready, self._waiting = self._waiting[: len(inside)], self._waiting[len(inside) :]
        limited = self._limiter.process(np.ascontiguousarray(ready))
        out = np.concatenate([self._surplus, self._resample_out.process(limited)])
        self._surplus = out[len(block) :]
        if len(block):
            power = float(np.mean(np.square(out[: len(block)], dtype=np.float64)))
            level = max(10 * np.log10(power + 1e-12), SILENCE_DB)
            self._newest = replace(self._newest, output_db=level)
        return out[: len(block)]

    def flush(self) -> Samples:
        """Ends the stream: its last ``latency_samples`` samples; then it is as new."""
        rest = self.process(np.zeros(self.latency_samples, np.float32))
        self.reset()
        return rest

    def reset(self) -> None:
        """Forgets the stream and its faults."""
        for part in (
            self._resample_in, self._log_mel, self._f0, self._vad, self._loudness,
            self._prosody, self._vocoder, self._limiter, self._resample_out,
        ):  # fmt: skip
            part.reset()
        self._begin()

    def _begin(self) -> None:
        self._state = self._converter.start()
        self._broken = False
        self._faults: Counter[str] = Counter()
        self._newest = StreamStatus()
        self._f0_late = np.full(self._late_hops, self.persona.register_hz, np.float32)
        self._quiet = np.ones(self._converter.lookahead // _core.HOP, np.bool_)
        self._waiting = np.zeros(_core.HOP, np.float32)
        self._surplus = np.zeros(0, np.float32)

    def _finite(self, block: Samples) -> Samples:
        bad = ~np.isfinite(block)
        if bad.any():
            self._faults["non_finite"] += int(bad.sum())
            return np.where(bad, np.float32(0), block)
        return np.ascontiguousarray(block)

    def _analyse(self, inside: Samples) -> Frames:
        """The vocoder's frames ``[n, 161]`` for the hops that these samples complete."""
        mel, f0 = self._log_mel.process(inside), self._f0.process(inside)
        speech, level = self._vad.process(inside), self._loudness.process(inside)
        if not len(mel):
            return np.zeros((0, self._vocoder.width), np.float32)
        shaped = np.concatenate([self._f0_late, self._prosody.process(f0)])
        self._f0_late = shaped[len(mel) :]
        voiced = bool(f0[-1, 2] > 0.5)
        self._newest = replace(
            self._newest,
            input_db=float(level[-1, 0]),
            speech=bool(speech[-1, 1] > 0.5),
            f0_in_hz=float(f0[-1, 0]) if voiced else None,
            f0_out_hz=float(shaped[-1]) if voiced else None,
        )
        return np.hstack([shaped[: len(mel), None], self._convert(mel)])

    def _silent(self, mel: Frames) -> npt.NDArray[np.bool_]:
        """For each frame whether the moment its envelope stands for was digital silence, ``[n]``."""
        quiet = np.concatenate([self._quiet, mel.max(axis=1) < SILENT_MEL])
        self._quiet = quiet[len(mel) :]
        stretch = len(self._quiet) + 1  # from the moment to the newest frame
        windows = np.lib.stride_tricks.sliding_window_view(quiet, stretch)
        return np.asarray(windows.all(axis=1))

    def _convert(self, mel: Frames) -> Frames:
        """Envelopes ``[n, 160]``; of silence from the first failure of the converter on."""
        silence = np.full((len(mel), self._vocoder.width - 1), SILENT, np.float32)
        if self._broken:
            return silence
        try:
            self._state, envelopes = self._converter.step(self._state, mel)
        except Exception:  # a live fault is data: counted, and never the dry voice
            self._broken = True
        else:
            if np.isfinite(envelopes).all():
                return np.where(self._silent(mel)[:, None], np.float32(SILENT), envelopes)
            self._broken = True
        self._faults["converter_failed"] += 1
        return silence
