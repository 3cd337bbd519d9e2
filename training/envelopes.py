"""What the network is to answer: the target's harmonic and noise envelopes, by WORLD.

    python -m training.envelopes --cache DIR [--shard 0/2]

For each pair ``DIR/envelopes/NNNNN.npy``, float16 ``[moments, 2, 80]``: natural logarithms of amplitude
in the vocoder's bands, for excitations of unit power.

CheapTrick (Morise 2015) gives the envelope, D4C (Morise 2016) its aperiodic share.
"""

import argparse
from pathlib import Path

import numpy as np

from persona_voice.converter import BANDS, band_centres_hz
from training.shard import shard
from training.synthesis import RATE
from training.whole import whole

# The quieter of the two parts is not followed further below the louder than this, in nepers.
DEPTH = 4.5


def band_weights(bins: int) -> np.ndarray:
    """Triangles of unit sum between the neighbours' centres, ``[bins, 80]``."""
    centres = band_centres_hz()
    edges = np.concatenate([[0.0], centres, [RATE / 2]])
    f = np.linspace(0, RATE / 2, bins)[:, None]
    up = (f - edges[:-2]) / np.diff(edges)[:-1]
    down = (edges[2:] - f) / np.diff(edges)[1:]
    triangles = np.clip(np.minimum(up, down), 0, None)
    return triangles / triangles.sum(0)


def envelopes(samples: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """Of 24 kHz samples whose F0 (0 unvoiced) is known every 10 ms: ``[len(f0), 2, 80]``."""
    import pyworld

    x = samples.astype(np.float64)
    times = np.arange(len(f0)) * 0.01
    power = pyworld.cheaptrick(x, f0.astype(np.float64), times, RATE)
    share = pyworld.d4c(x, f0.astype(np.float64), times, RATE) ** 2
    weights = band_weights(power.shape[1])
    noise = (power * share) @ weights
    harmonic = (power * (1 - share)) @ weights
    harmonic[f0 <= 0] = 0
    both = np.stack([harmonic, noise], axis=1)
    floor = both.sum(1, keepdims=True) * np.exp(-2 * DEPTH)
    return 0.5 * np.log(np.maximum(both, floor) + 1e-13)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--shard", type=shard, default="0/1", help="K/N: every N-th pair")
    options = parser.parse_args()
    folder = options.cache / "envelopes"
    folder.mkdir(exist_ok=True)
    files = sorted((options.cache / "pairs").glob("*.npz"))[options.shard]
    for file in files:
        out = folder / f"{file.stem}.npy"
        if out.exists():
            continue
        with np.load(file) as arrays:
            answer = envelopes(arrays["target"] / 32768.0, arrays["f0"])
        assert answer.shape[1:] == (2, BANDS)
        with whole(out) as opened:
            np.save(opened, answer.astype(np.float16))
        print(f"envelopes {file.stem}", flush=True)


if __name__ == "__main__":
    main()
