"""Labels of speech by weights as exported, where no teacher is: what they answer to it while it is clean.

    python -m training.own --cache DIR --weights FILE [--shard 0/2]

For `training.tune`, which only keeps near these answers. Writes what `training.teacher` would,
``DIR/labelled/NAME.npz``, by the studio head, which hears most.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import soundfile
import torch

from persona_voice.model.torch_converter import network_of
from persona_voice.model.weights import read_weights
from training.data import as_streamed, made_by
from training.export import scale_contrast
from training.shard import shard
from training.synthesis import HOP
from training.whole import whole


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--shard", type=shard, default="0/1", help="K/N: every N-th of them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = network_of(read_weights(options.weights))
    scale_contrast(network, back=True)
    late = network.config.late("studio")
    digest = hashlib.sha256(options.weights.read_bytes()).hexdigest()
    folder = made_by(options.cache / "labelled", f"weights {digest[:16]}")
    for file in sorted((options.cache / "speech").glob("*.flac"))[options.shard]:
        out = folder / f"{file.stem}.npz"
        if out.exists():
            continue
        source, _ = soundfile.read(file, dtype="int16")
        mel = as_streamed(np.pad(source.astype(np.float32) / 32768, (0, (late + 3) * HOP)))
        with torch.inference_mode():
            answer, _ = network(torch.from_numpy(mel)[None], network.start(), "studio")
        envelopes = answer[0, late:].numpy().astype(np.float16)[: len(source) // HOP + 1]
        with whole(out) as opened:
            np.savez(opened, source=source, envelopes=envelopes)


if __name__ == "__main__":
    main()
