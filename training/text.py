"""Sentences to speak: seeded, without a text corpus.

Words are drawn from ``wordfreq`` lists with flattened frequencies, so that rare sounds and rare
sequences of them come up; the sense does not matter to a converter, which hears 10 ms at a time.
"""

from functools import cache

import numpy as np

# share of the sentences, and the espeak-ng voice that gives their phonemes
LANGUAGES = {
    "en": (0.67, "en-us"),
    "fr": (0.05, "fr"),
    "es": (0.06, "es"),
    "it": (0.05, "it"),
    "pt": (0.03, "pt-br"),
    "de": (0.04, "de"),
    "ru": (0.10, "ru"),
}
VOCABULARY = 9000
ENDINGS = (".", ".", ".", ".", "?", "!")


@cache
def vocabulary(language: str) -> tuple[list[str], np.ndarray]:
    """The commonest words of a language and their probabilities, frequency to the power 0.4."""
    import wordfreq

    words = [w for w in wordfreq.top_n_list(language, VOCABULARY) if w.isalpha()]
    weight = np.array([wordfreq.word_frequency(w, language) for w in words]) ** 0.4
    return words, weight / weight.sum()


def sentence(rng: np.random.Generator) -> tuple[str, str]:
    """A language of ``LANGUAGES`` and a sentence of 5 to 15 words in it."""
    names = list(LANGUAGES)
    language = str(rng.choice(names, p=[LANGUAGES[name][0] for name in names]))
    words, weight = vocabulary(language)
    chosen = list(rng.choice(words, size=int(rng.integers(5, 16)), p=weight))
    if len(chosen) > 7:
        chosen[len(chosen) // 2] += ","
    return language, " ".join(chosen).capitalize() + str(rng.choice(ENDINGS))
