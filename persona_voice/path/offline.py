"""Whole sounds through the stream; the one place that trims, once, by the summed latency."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from persona_voice.errors import WeightsError
from persona_voice.path.stream import VoiceStream

Samples = npt.NDArray[np.float32]


def converted(stream: VoiceStream, blocks: Iterable[Samples]) -> Iterator[Samples]:
    """The blocks in the persona's voice, in time with the source and as long as it.

    Memory is that of one block, however long the sound.

    Raises
    ------
    WeightsError
        ``converter_failed``: a live stream goes on in silence, a file would only look whole.
    """
    skip, done = stream.latency_samples, 0
    for block in blocks:
        out = stream.process(block)
        done += len(block)
        _refuse_silence(stream, done)
        yield out[skip:]
        skip -= min(skip, len(out))
    # What `flush` gives, but the faults are still there to see.
    rest = stream.process(np.zeros(stream.latency_samples, np.float32))
    _refuse_silence(stream, done)
    stream.reset()
    yield rest[skip:]


def _refuse_silence(stream: VoiceStream, done: int) -> None:
    if "converter_failed" not in stream.status.faults:
        return
    stream.reset()
    seconds = done / stream.sample_rate
    message = (
        f"the converter must give finite envelopes, and failed within the first {seconds:.2f} s"
    )
    raise WeightsError(message, code="converter_failed", seconds=seconds)


def convert_array(stream: VoiceStream, samples: Samples) -> Samples:
    """A whole sound ``[samples]`` at once; as many samples come back."""
    length = stream.sample_rate  # a second at a time: network products are cheap when wide
    blocks = (samples[at : at + length] for at in range(0, len(samples), length))
    return np.concatenate(list(converted(stream, blocks)))
