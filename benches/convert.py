"""What the whole path costs by engine and block, and its network against the same weights elsewhere.

All contenders hear the same recordings on one thread, by turns of half a second. What each answers is
compared with torch before a time is taken.
"""

import argparse
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from benches import report
from benches.llvc import CHUNK, SAMPLE_RATE, Llvc
from benches.peers import Array, OneHead, Step, for_onnx, onnx_step, torch_step
from benches.report import Result
from benches.sources import STREAM_RATE
from benches.speed import SEED, speech
from benches.streaming import PERSONA, StreamSettings, blocks_of
from benches.streams import batch, memory_kb
from benches.turns import COLD_BLOCKS, TURN_MS, WARM_UP_TURNS, Contender, take_turns
from persona_voice._core import HOP, RATE, Articulation, LogMel, Resampler
from persona_voice.build import weights_folder
from persona_voice.converter import BANDS
from persona_voice.model.native_converter import NativeConverter
from persona_voice.model.network import ConverterNetwork
from persona_voice.model.torch_converter import TorchConverter, network_of
from persona_voice.model.weights import Weights, read_weights
from persona_voice.persona.persona import load_persona

ENGINES = ("native", "torch")
BLOCKS_MS = (5, 10, 20, 40)
# The block at which LLVC, whose own is 13 ms, is compared with the whole path.
LIVE_MS = 10
# Hops at once: of a live stream's block of 10 ms, and of one of 40 ms.
HOPS = (1, 4)
HOP_MS = 1000 * HOP // RATE
BATCH = 16
MODE = "live"
# Of sound, which all contenders hear; then it begins again.
SOUND_S = 60.0
COMPARED_BLOCKS = 100
TOLERANCE = 1e-4  # nepers of an envelope; for LLVC, of full scale
# Streams whose memory is measured together: torch's hold the weights each, so that a few tell.
MEMORY_STREAMS = {"native": 256, "torch": 32}
QUICK_SECONDS = 2.0

LLVC_NOTE = (
    "the published layers with weights of chance: the published weights cannot be fetched where the "
    "bench runs, and what such layers cost does not depend on the numbers in them"
)
ARTICULATION_NOTE = (
    "native puts the speaker's articulation back in the same call, and its time holds that; the others "
    "run the network alone"
)


def path_contenders(sound: Array) -> list[Contender]:
    """The whole path by block and engine, torch against native at the same block."""
    made = []
    for block_ms in BLOCKS_MS:
        native: Contender | None = None
        for engine in ENGINES:
            stream = StreamSettings(MODE, STREAM_RATE, engine=engine).open()
            blocks = blocks_of(sound, STREAM_RATE * block_ms // 1000)
            contender = Contender("whole path", engine, stream.process, blocks, block_ms, native)
            contender.stream = stream
            native = native or contender
            made.append(contender)
    return made


def batch_contender(sound: Array) -> Contender:
    """As many of our streams stepped together as of LLVC's."""
    blocks = spread(by_length(sound, STREAM_RATE * LIVE_MS // 1000), BATCH)
    name = f"native, batch of {BATCH}"
    return Contender("whole path", name, batch(BATCH), blocks, LIVE_MS, streams=BATCH)


def by_length(samples: Array, length: int) -> Array:
    """``[n]`` to ``[blocks, length]``; what does not fill a block is left out."""
    return samples[: len(samples) // length * length].reshape(-1, length)


def spread(blocks: Array, streams: int) -> Array:
    """``[blocks, samples]`` to ``[blocks, streams, samples]``, each somewhere else in the speech."""
    starts = np.arange(streams) * len(blocks) // streams
    return blocks[(np.arange(len(blocks))[:, None] + starts) % len(blocks)]


def network_contenders(weights: Weights, sound: Array) -> list[Contender]:
    """The network alone on the same log-mel frames, by hops at once; each checked against torch."""
    frames = LogMel().process(Resampler(STREAM_RATE, RATE).process(sound))
    native, reference = NativeConverter(weights, MODE), TorchConverter(network_of(weights), MODE)
    envelopes = reference.step(reference.start(), frames)[1]
    own, answers = network_answers(reference, frames)
    made = []
    for hops in HOPS:
        blocks, block_ms = by_hops(frames, hops), hops * HOP_MS
        ours = Contender("network", "native", native.start().process, blocks, block_ms)
        ours.compare(by_hops(envelopes, hops)[:COMPARED_BLOCKS], TOLERANCE)
        pairs = list(zip(by_hops(own, hops), by_hops(answers, hops), strict=True))
        made += [
            ours,
            Contender("network", "articulation", articulation_step(), pairs, block_ms, ours),
        ]
        for name, step in peers(reference.network, (1, hops, BANDS)).items():
            contender = Contender("network", name, step, blocks[:, None], block_ms, ours)
            expected = by_hops(answers, hops)[:COMPARED_BLOCKS]
            contender.compare(expected.reshape(-1, 1, hops, 2, BANDS), TOLERANCE)
            made.append(contender)
    return made


def by_hops(frames: Array, hops: int) -> Array:
    """``[n, width]`` to ``[blocks, hops, width]``; what does not fill a block is left out."""
    return frames[: len(frames) // hops * hops].reshape(-1, hops, frames.shape[1])


def articulation_step() -> Callable[[tuple[Array, Array]], Array]:
    articulation = Articulation()
    return lambda pair: articulation.process(*pair)


def network_answers(converter: TorchConverter, frames: Array) -> tuple[Array, Array]:
    """The speaker's own log amplitudes ``[n, 80]`` and the network's answers ``[n, 160]``."""
    network = converter.network
    with torch.inference_mode():
        body, heard, _ = network.body(torch.from_numpy(frames)[None], network.start())
        answers = network.answer(MODE, body, heard)[0].flatten(1)
        own = network.own(heard, len(frames), MODE)[0]
    return np.ascontiguousarray(own.numpy()), np.ascontiguousarray(answers.numpy())


def peers(network: ConverterNetwork, shape: tuple[int, ...]) -> dict[str, Step]:
    """Whatever else runs the same weights here."""
    module = OneHead(network, MODE)
    steps = {"torch eager": torch_step(module)}
    if compiler() is not None:
        steps["torch compiled"] = torch_step(module, compiled=True)
    exported = OneHead(for_onnx(network), MODE)
    return steps | {"ONNX Runtime": onnx_step(exported, shape)}


def compiler() -> str | None:
    """The C++ compiler that torch would call, if there is one."""
    return shutil.which(os.environ.get("CXX", "g++"))


def llvc_contenders(sound: Array, ours: Sequence[Contender]) -> list[Contender]:
    """LLVC on ONNX Runtime, as many streams at once as each of ours."""
    torch.manual_seed(SEED)
    net = Llvc().eval().requires_grad_(False)
    chunks = by_length(Resampler(STREAM_RATE, SAMPLE_RATE).process(sound), CHUNK)
    made = []
    for against in ours:
        streams = against.streams
        blocks = spread(chunks, streams)[:, :, None]
        first = torch.from_numpy(blocks[:COMPARED_BLOCKS])
        with torch.inference_mode():
            whole = net(first.permute(1, 2, 0, 3).flatten(2), *net.start(streams))[0]
        expected = whole.unflatten(2, (-1, CHUNK)).permute(2, 0, 1, 3)
        name = "ONNX Runtime" + (f", batch of {streams}" if streams > 1 else "")
        step, block_ms = onnx_step(net, (streams, 1, CHUNK)), 1000 * CHUNK / SAMPLE_RATE
        contender = Contender("LLVC", name, step, blocks, block_ms, against, streams)
        contender.compare(expected.numpy(), TOLERANCE)
        made.append(contender)
    return made


def figures(contender: Contender) -> Result:
    """What it is, its times, and streams a core where it is all that a stream needs."""
    found = contender.figures()
    if contender.group != "network":
        found["streams_a_core"] = 1 / contender.share
    return found


def table(results: Sequence[Result]) -> str:
    columns = (
        "block ms     p50     p95     p99     max   late     rtf    core  x ours  streams  off"
    )
    lines = [f"{'times of a block in ms':32}{columns}"]
    for of in results:
        times = " ".join(f"{of[f'block_ms_{at}']:7.3f}" for at in ("p50", "p95", "p99", "max"))
        shares = f"{of['rtf']:7.4f} {of['cpu_share_median_turn']:7.4f}"
        ratio = f"{of['times_ours']:7.2f}" if "times_ours" in of else " " * 7
        streams = f"{of['streams_a_core']:8.1f}" if "streams_a_core" in of else " " * 8
        off = f"{of['deviation']:.0e}" if "deviation" in of else ""
        lines.append(
            f"{of['group'] + ': ' + of['engine']:32}{of['block_ms']:8g} {times} "
            f"{of['blocks_over_deadline']:6} {shares} {ratio} {streams}  {off}".rstrip()
        )
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--seconds", type=float, default=30.0, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="two seconds: that it runs")


def main(options: argparse.Namespace) -> None:
    report.refuse_debug()
    seconds = QUICK_SECONDS if options.quick else options.seconds
    memory = {engine: memory_kb(count, engine) for engine, count in MEMORY_STREAMS.items()}
    for engine, kb in memory.items():
        print(f"{engine}: {kb:.0f} kB a stream beyond the weights")
    sound = speech(SOUND_S)
    file = weights_folder() / load_persona(PERSONA).weights
    path, together = path_contenders(sound), batch_contender(sound)
    ours = next(of for of in path if (of.name, of.block_ms) == ("native", LIVE_MS))
    contenders = [
        *path,
        together,
        *network_contenders(read_weights(file), sound),
        *llvc_contenders(sound, (ours, together)),
    ]
    take_turns(contenders, seconds)
    results = [figures(contender) for contender in contenders]
    print(f"{table(results)}\n" + "\n".join(f"{what}: {why}" for what, why in notes().items()))
    held = {"persona": PERSONA, "mode": MODE, "sample_rate": STREAM_RATE, "seconds": seconds}
    held |= {"turn_ms": TURN_MS, "cold_blocks": COLD_BLOCKS, "warm_up_turns": WARM_UP_TURNS}
    held |= {"threads": 1, "seed": SEED, "memory_streams": MEMORY_STREAMS}
    found = {"memory_kb": memory, "contenders": results}
    circumstances = report.circumstances("convert", held)
    report.write(circumstances | {"figures": found, "notes": notes()}, options.json)


def notes() -> dict[str, str]:
    """What a reader of the figures must know."""
    left_out = {} if compiler() else {"torch compiled": "left out: no C++ compiler (g++) here"}
    return {"LLVC": LLVC_NOTE, "native": ARTICULATION_NOTE, **left_out}
