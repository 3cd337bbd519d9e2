"""Whole sounds through the stream; the one place that trims, once, by the summed latency."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from persona_voice.path.stream import VoiceStream

Samples = npt.NDArray[np.float32]


def converted(stream: VoiceStream, blocks: Iterable[Samples]) -> Iterator[Samples]:
    """The blocks in the persona's voice, in time with the source and as long as it.

    Memory is that of one block, however long the sound.
    """
    skip = stream.latency_samples
    for block in blocks:
        out = stream.process(block)
        yield out[skip:]
        skip -= min(skip, len(out))
    yield stream.flush()[skip:]


def convert_array(stream: VoiceStream, samples: Samples) -> Samples:
    """A whole sound ``[samples]`` at once; as many samples come back."""
    length = stream.sample_rate  # a second at a time: network products are cheap when wide
    blocks = (samples[at : at + length] for at in range(0, len(samples), length))
    return np.concatenate(list(converted(stream, blocks)))
