"""What the quality bench makes of rows: means, worst ones, and a page."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the page draws spectrograms")

from benches.page import Page
from benches.quality import (
    BEFORE,
    FIGURES,
    STREAM_RATE,
    Judged,
    Source,
    by_condition,
    row,
    summarise,
    worst_sources,
)
from benches.streaming import Run

NOTHING = dict.fromkeys((*FIGURES, *BEFORE))


def figures_of(name: str, group: str = "real", **figures: float) -> dict:
    words = {"words_before": "the <old> lamp", "words_after": "the cold lamp"}
    return NOTHING | {"source": name, "group": group} | words | figures


def test_the_worst_is_the_largest_the_smallest_or_the_furthest_by_what_it_means() -> None:
    rows = [
        figures_of("a", words_changed=0.1, similarity=0.8, latency_off_ms=-3.0),
        figures_of("b", words_changed=0.3, similarity=0.7, latency_off_ms=2.0),
        figures_of("c", "flite", words_changed=0.0, similarity=0.9, latency_off_ms=1.0),
    ]
    of = summarise(rows)
    assert set(of) == {"real", "flite", "all"}
    assert of["real"]["mean"]["words_changed"] == pytest.approx(0.2)
    worst = of["all"]["worst"]
    assert (worst["words_changed"], worst["similarity"], worst["latency_off_ms"]) == (
        0.3,
        0.7,
        -3.0,
    )
    assert worst["leak"] is None
    named = worst_sources(rows)
    assert [of["source"] for of in named["words_changed"]] == ["b", "a", "c"]
    assert [of["source"] for of in named["similarity"]] == ["b", "a", "c"]
    assert [of["source"] for of in named["latency_off_ms"]] == ["a", "b", "c"]
    assert named["leak"] == []


@pytest.mark.parametrize("said", ["My neighbor, says two.", None])
def test_a_word_that_she_mends_is_changed_but_not_wrong(said: str | None) -> None:
    pytest.importorskip("jiwer")
    tone = (0.3 * np.sin(np.arange(STREAM_RATE) / 30)).astype(np.float32)
    nobody = {"embedding": None, "verifier_embedding": None, "dnsmos": 3.0, "f0": [0.0] * 100}
    before = Judged(reading="my liver says 2", other_reading="my neighbor says so", **nobody)
    after = Judged(reading="my neighbor says 2", other_reading=None, **nobody)
    jury = SimpleNamespace(
        speaker=SimpleNamespace(centroid=None), verifier=SimpleNamespace(centroid=None), tilt_db=0.0
    )
    source = Source("a", "flite", "en", tone, said)
    got = row(source, before, after, jury, Run(tone, 0, np.full(100, 1e-4), 0.01, {}))
    assert got["words_changed"] == 0.25
    wrong = [
        got[f"{of}words_wrong_{when}"] for of in ("", "other_") for when in ("before", "after")
    ]
    assert wrong == ([0.25, 0.0, 0.25, None] if said else [None] * 4)


def test_what_a_condition_costs_by_itself_is_told_apart() -> None:
    one = {"condition": "telephone", "words_lost_by_itself": 0.1, "words_changed": 0.3}
    other = {"condition": "telephone", "words_lost_by_itself": 0.0, "words_changed": 0.1}
    rows = [
        r | {"words_beyond": r["words_changed"] - r["words_lost_by_itself"], "similarity": None}
        for r in (one, other)
    ]
    found = by_condition(rows)
    assert found["telephone"]["count"] == 2
    assert found["telephone"]["words_beyond"] == pytest.approx(0.15)
    assert found["telephone"]["similarity"] is None
    assert found["noise 10 dB"]["count"] == 0


def test_the_page_shows_every_source_and_escapes_what_was_read(tmp_path: Path) -> None:
    page = Page(tmp_path / "page")
    tone = (0.3 * np.sin(np.arange(STREAM_RATE) / 30)).astype(np.float32)
    page.sounds("a", tone, tone / 2)
    rows = [figures_of("a", words_changed=0.25)]
    page.write(
        {
            "settings": {"mode": "live"},
            "commit": "c",
            "date": "d",
            "summary": summarise(rows),
            "consistency": {},
            "conditions": by_condition([]),
            "ghosts": {},
            "worst_sources": worst_sources(rows),
            "sources": rows,
        }
    )
    text = (tmp_path / "page" / "index.html").read_text()
    assert "the &lt;old&gt; lamp" in text
    assert "<old>" not in text
    assert "25.0%" in text
    for file in ("a_before.flac", "a_after.flac", "a.png"):
        assert file in text
        assert (tmp_path / "page" / file).stat().st_size > 1000
    Page(tmp_path / "page")  # again, over the old one
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    with pytest.raises(FileExistsError):
        Page(tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").exists()
