"""Which moment of one reading of a sentence is which moment of another: dynamic time warping."""

import numpy as np
import scipy.fft
import scipy.signal

RATE = 24_000
HOP = 240
MAX_ADVANCE = 3  # frames of the source per frame of the target: three times as fast at most
STAND_COST = 0.6  # of staying on the same source frame while it is loud
SKIP_COST = 0.3  # of each source frame skipped


def cepstra(samples: np.ndarray) -> np.ndarray:
    """Speaker-flattened mel cepstra and their slopes, ``[frames, 25]``, for comparing readings."""
    window, bands = 600, 40
    padded = np.pad(samples.astype(np.float64), (window // 2, window // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), 1024)) ** 2
    mel = power @ mel_matrix(bands)
    log_mel = np.log(mel + 1e-3 * mel.mean())
    c = scipy.fft.dct(log_mel, norm="ortho")[:, :13]
    loud = c[:, 0] > np.median(c[:, 0])
    c -= c[loud].mean(0)
    c /= c[loud].std(0) + 1e-3
    c[:, 0] *= 1.5
    slopes = np.gradient(scipy.signal.savgol_filter(c, 5, 2, axis=0), axis=0)[:, 1:]
    return np.hstack([c, 1.5 * slopes])


def mel_matrix(bands: int) -> np.ndarray:
    mel = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    f = np.arange(513) * RATE / 1024
    up = (f[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    down = (edges[2:] - f[:, None]) / np.diff(edges)[1:]
    return np.clip(np.minimum(up, down), 0, None)


def loudness(samples: np.ndarray) -> np.ndarray:
    """0 for a silent 10 ms frame to 1 for a loud one."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, 300), 600)[::HOP]
    level = 10 * np.log10((frames.astype(np.float64) ** 2).mean(1) + 1e-12)
    return np.clip((level - level.max() + 45) / 25, 0, 1)


def warp_path(target: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, float]:
    """For each 10 ms frame of ``target`` the frame of ``source`` (fractional), and the mean cost.

    Rows advance the source by 0 to ``MAX_ADVANCE`` frames, so that a whole row is one array
    operation. The path is smoothed over 50 ms: articulation does not jump.
    """
    a, b = cepstra(target), cepstra(source)
    distance = np.sqrt(
        np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T, 0)
    ) / np.sqrt(a.shape[1])
    rows, columns = distance.shape
    stand = STAND_COST * loudness(source)  # a pause may be any length
    total = np.full(columns, np.inf)
    total[: columns // 4] = distance[0, : columns // 4] + 0.02 * np.arange(columns // 4)
    step = np.zeros((rows, columns), np.int8)
    for i in range(1, rows):
        reached = [
            np.concatenate([np.full(k, np.inf), total[: columns - k]]) + penalty
            for k, penalty in enumerate(
                [stand, 0.0, *(SKIP_COST * (k - 1) for k in range(2, MAX_ADVANCE + 1))]
            )
        ]
        best = np.argmin(reached, axis=0)
        step[i] = best
        total = np.take_along_axis(np.array(reached), best[None], 0)[0] + distance[i]
    j = int(np.argmin(total[3 * columns // 4 :])) + 3 * columns // 4
    cost = float(total[j]) / rows
    path = np.empty(rows)
    for i in range(rows - 1, -1, -1):
        path[i] = j
        j -= int(step[i, j])
    path = scipy.signal.savgol_filter(path, 5, 1) if rows > 5 else path
    return np.clip(path, 0, columns - 1), cost
