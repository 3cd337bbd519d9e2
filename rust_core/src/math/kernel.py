"""Makes the series of kernel.rs: python kernel.py (a minute; needs numpy and scipy).

Frequencies are in parts of the slower rate: flat to 0.45, stopped from 0.55. Both filters are minimax, by
linear programs. The second is not linear in its coefficients: it begins as the minimum-phase filter that
has the loss of an even one, and goes on in small steps, with flatness, stop band and delay as seen from
where it is.
"""

import sys

import numpy as np
import numpy.typing as npt
from scipy.fft import dst
from scipy.optimize import linprog

Array = npt.NDArray[np.float64]

PASS, STOP = 0.45, 0.55
EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
# Coefficients of the stop band are brought to the size of the others.
SCALE = 1e4


def even_response(f: Array, half: float, terms: int) -> Array:
    """Of ``cos(pi k t / half)`` from ``-half`` to ``half``, ``[f, k]``."""
    k, x = np.arange(terms)[None], 2 * half * f[:, None]
    return half * (np.sinc(x - k) + np.sinc(x + k))


def even(half: float, terms: int, ripple_db: float, weigh, zeros: int, top: float) -> Array:
    """Coefficients of the cosines: the least, over the stop band, of the response over its weight."""
    ripple = 10 ** (ripple_db / 20) - 1
    step = 1 / (24 * half)
    passed = even_response(np.linspace(0, PASS, int(PASS / step) + 2), half, terms)
    f = np.concatenate([np.arange(STOP, 2.6, step), np.arange(2.6, top, 1.7 * step)])
    stopped = 10 * SCALE * even_response(f, half, terms) / weigh(f)[:, None]
    none, one = np.zeros((len(passed), 1)), np.ones((len(stopped), 1))
    rows = [
        np.hstack([passed, none]),
        np.hstack([-passed, none]),
        np.hstack([stopped, -one]),
        np.hstack([-stopped, -one]),
    ]
    most = np.concatenate(
        [np.full(len(passed), 1 + ripple), np.full(len(passed), ripple - 1), np.zeros(2 * len(f))]
    )
    # Nothing at multiples of the rate, so that a constant is the same at every phase, and at the ends;
    # a constant stays as it is.
    held = [
        10 * SCALE * even_response(np.array([float(n)]), half, terms)[0]
        for n in range(1, zeros + 1)
    ]
    held.append((-1.0) ** np.arange(terms))
    held.append(even_response(np.zeros(1), half, terms)[0])
    found = linprog(
        np.append(np.zeros(terms), 1),
        A_ub=np.vstack(rows),
        b_ub=most,
        A_eq=np.hstack([np.array(held), np.zeros((len(held), 1))]),
        b_eq=np.append(np.zeros(len(held) - 1), 1),
        bounds=[(None, None)] * terms + [(0, None)],
        method="highs-ds",
        options=EXACT,
    )
    return np.asarray(found.x[:terms])


def early_response(f: Array, length: float, terms: int) -> npt.NDArray[np.complex128]:
    """Of ``sin(pi k t / length)`` from 0 to ``length``, ``[f, k - 1]``."""
    k = np.arange(1, terms + 1)[None] / (2 * length)

    def wave(nu: Array) -> npt.NDArray[np.complex128]:
        return length * np.sinc(nu * length) * np.exp(1j * np.pi * nu * length)

    return np.asarray((wave(k - f[:, None]) - wave(-k - f[:, None])) / 2j)


def sampled_response(f: Array, length: float, terms: int, per: int) -> npt.NDArray[np.complex128]:
    """The same of ``per`` samples to one of the slower rate."""
    n = np.arange(1, int(length * per))
    sines = np.sin(np.pi * n[:, None] * np.arange(1, terms + 1) / per / length)
    return np.asarray(np.exp(-2j * np.pi * f[:, None] * n / per) @ sines / per)


def minimum_phase(half: float, series: Array, per: int = 16) -> Array:
    """The even filter's loss with the least delay, by its cepstrum, as coefficients of sines."""
    count, inside = 1 << 21, 0.99999  # zeros on the circle go inside by so much, and come back
    n = np.arange(2 * int(half * per) + 1)
    even = np.cos(np.pi * np.outer(n / per - half, np.arange(len(series))) / half) @ series
    weighed = even * inside**n
    cepstrum = np.fft.irfft(np.log(np.abs(np.fft.rfft(weighed, count))), count)
    cepstrum[1 : count // 2] *= 2
    cepstrum[count // 2 + 1 :] = 0
    found = np.fft.irfft(np.exp(np.fft.rfft(cepstrum)), count)[: len(n)] / inside**n
    found /= found.sum() / per
    return np.asarray(dst(found[1:-1], type=1) / (len(found) - 1))


def early(length: float, terms: int, ripple_db: float, delay: float, series: Array) -> Array:
    """Coefficients of the sines, from those of a filter that is near."""
    ripple, trust = 10 ** (ripple_db / 20) - 1, 4e-4
    step = 1 / (8 * length)
    passed = early_response(np.linspace(0, PASS, int(PASS / step) + 2), length, terms)
    f = np.concatenate(
        [np.arange(STOP, 1.3, step), np.arange(1.3, 2.2, 2 * step), np.arange(2.2, 4, 4 * step)]
    )
    stopped = [early_response(f, length, terms) / about_multiples(f)[:, None]]
    for per in (2, 3):
        f = np.arange(STOP, per / 2 + 1e-9, step)
        stopped.append(sampled_response(f, length, terms, per) / about_multiples(f)[:, None])
    stop = SCALE * np.vstack(stopped)
    k = np.arange(1, terms + 1)
    late = -((-1.0) ** k) * length**2 / (np.pi * k)
    series = series[:terms] / (passed[0].real @ series[:terms])
    before = 0.0
    for _ in range(40):
        seen = passed @ series
        flat = (np.conj(seen / np.abs(seen))[:, None] * passed).real
        none, one = np.zeros((len(flat), 1)), np.ones((len(flat), 1))
        rows = [np.hstack([flat, none, -one]), np.hstack([-flat, none, -one])]
        most = [np.full(len(flat), 1 + ripple), np.full(len(flat), ripple - 1)]
        angle = np.angle(stop @ series)
        none, one = np.zeros((len(stop), 1)), np.ones((len(stop), 1))
        for eighth in range(8):
            turn = np.exp(-1j * (angle + eighth * np.pi / 4))[:, None]
            rows.append(np.hstack([(turn * stop).real, -one, none]))
            most.append(np.zeros(len(stop)))
        rows.append(np.concatenate([late, [0, -0.1]])[None])
        most.append(np.array([delay]))
        found = linprog(
            np.concatenate([np.zeros(terms), [1, 300]]),
            A_ub=np.vstack(rows),
            b_ub=np.concatenate(most),
            A_eq=np.concatenate([passed[0].real, [0, 0]])[None],
            b_eq=[1.0],
            bounds=[(x - trust, x + trust) for x in series] + [(0, None), (0, None)],
            method="highs-ds",
        )
        series = np.asarray(found.x[:terms])
        worst_db = float(20 * np.log10(np.abs(stop @ series).max() / SCALE))
        print(f"{worst_db:.2f} dB, still to be made up {found.x[-1]:.5f}", file=sys.stderr)
        if abs(worst_db - before) < 0.02 and found.x[-1] < 1e-6:
            break
        before = worst_db
    return series


def about_multiples(f: Array) -> Array:
    """A half of what is let through elsewhere: images of low tones lie there."""
    away = np.abs(f - np.round(f)) / 0.15
    return np.where(f > 0.8, np.clip(away**2, 0.5, 1), 1.0)


def far_from_multiples(f: Array) -> Array:
    away = np.abs(f - np.round(f)) / 0.2
    return np.clip(away**3, 10 ** (-38 / 20), 1)


def written(name: str, series: Array) -> str:
    numbers = [f"{x:.9e}," for x in series]
    lines = ["    " + " ".join(numbers[at : at + 4]) for at in range(0, len(numbers), 4)]
    return "\n".join([f"const {name}: [f64; {len(series)}] = [", *lines, "];"])


def main() -> None:
    print(written("EVEN", even(25, 34, 0.011, far_from_multiples, zeros=6, top=4)))
    near = even(20.5, 27, 0.02, np.ones_like, zeros=4, top=6)
    print(written("EARLY", early(41, 52, 0.01, 2.36, minimum_phase(20.5, near))))


if __name__ == "__main__":
    main()
