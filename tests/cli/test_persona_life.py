"""``persona-voice persona``: a life from a design to a farewell, as users have it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_persona import misused, printed, refused

from persona_voice import _core
from persona_voice.cli import main as cli
from persona_voice.growth import LIKE_HERSELF
from persona_voice.persona.event import Kind, happened
from persona_voice.persona.ledger import DAY_S
from persona_voice.persona.limits import BUDGETS
from persona_voice.persona.store import Store

NOW_S = time.time()
BORN_S = NOW_S - 90 * DAY_S
VOICE = {"register_semitones": -3.0, "tract_octaves": 0.05, "breath_db": 1.0, "tilt_db": -0.4}


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "persona-voice" / "personas.db"


@pytest.fixture
def iris(store: Path) -> Path:
    """Ninety days old, and liked at the upper end of everything for sixty."""
    ends = {name: budget.life[1] for name, budget in BUDGETS.items()}
    with Store() as kept:
        kept.append(
            [
                happened(Kind.BORN, "iris", BORN_S, seed=3),
                happened(Kind.NAMED, "iris", BORN_S, name="Iris"),
                happened(Kind.DESIGNED, "iris", BORN_S, base="samantha", **VOICE),
                *(
                    happened(Kind.FEEDBACK, "iris", BORN_S + n * DAY_S, f"{who}", liked=1, **ends)
                    for n in range(60)
                    for who in range(8)
                ),
            ]
        )
    return store


def facts(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    assert cli.main(["persona", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def median_hz(file: Path) -> float:
    samples, rate = soundfile.read(file, dtype="float32")
    f0 = _core.F0Tracker().process(_core.Resampler(rate, 24_000).process(samples))
    return float(np.median(f0[f0[:, 2] > 0.5, 0]))


def test_one_is_designed_by_words_and_names_herself(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("create", "--words", "low, dark, purple", "--breath", 2, "--seed", 5)
    made = facts(capsys, *words)
    assert made["voice"]["register_semitones"] < 0 > made["voice"]["tilt_db"]
    assert made["voice"]["breath_db"] == 2
    assert made["persona"] == made["name"].lower() != "samantha"
    shown = facts(capsys, "show", made["persona"])
    assert (shown["name"], shown["base"], shown["voice"]) == (
        made["name"],
        "samantha",
        made["voice"],
    )
    assert "imitates no person" in shown["provenance"]
    assert shown["consent"]
    assert shown["similarity_to_birth"] == pytest.approx(1, abs=1e-5)
    # Who is created next from the same seed has to find another name.
    assert facts(capsys, *words)["name"] != made["name"]
    text = printed(capsys, "history", made["persona"])
    assert "designed     -            from samantha: register" in text
    assert "can be born once" in misused(capsys, "create", made["name"])


def test_candidates_are_heard_before_one_is_picked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, store: Path
) -> None:
    words = ("create", "Mira", "--words", "deep", "--candidates", 2, "--seed", 9)
    near = facts(capsys, *words, "--out", tmp_path / "heard")
    assert [Path(file).name for file in near["files"]] == ["mira-1.wav", "mira-2.wav"]
    samples = [soundfile.read(file)[0] for file in near["files"]]
    assert all(np.abs(of).max() > 0.05 for of in samples)
    assert not np.array_equal(*(of[: min(map(len, samples))] for of in samples))
    with Store() as kept:
        assert kept.personas() == []
    made = facts(capsys, *words, "--pick", 2)
    assert made["voice"] == near["candidates"][1]
    assert "must come with the --seed" in misused(
        capsys, "create", "Nora", "--words", "deep", "--candidates", 2, "--pick", 1
    )
    assert "--pick must lie in 1..=2, got 3" in misused(
        capsys, "create", "Nora", *words[2:], "--pick", 3
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a/b"], "a name must be"),
        (["x", "--words", "purple"], "words for a voice must hold"),
        (["x", "--register", "6"], "register_semitones must lie in -5..=5, got 6"),
        (["x", "--tract=-100%"], "tract_octaves must lie in"),
        (["x", "--out", "d"], "must come with --candidates"),
        (["x", "--candidates", "0"], "--candidates must lie in"),
    ],
)
def test_what_cannot_be_created_is_told_and_nobody_is_born(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert said in misused(capsys, "create", *words)
    assert 'no persona "nobody"' in refused(capsys, "create", "x", "--base", "nobody")
    with Store() as kept:
        assert kept.personas() == []


def test_she_speaks_in_her_own_voice_wherever_she_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, iris: Path
) -> None:
    for who in ("samantha", "iris"):
        words = ["say", "Good evening to you all.", "--persona", who, "--out", f"{who}.wav"]
        assert cli.main(words) == 0
        assert cli.main(["convert", f"{who}.wav", f"{who}_again.wav", "--persona", who]) == 0
    for which in ("", "_again"):
        low, usual = (median_hz(tmp_path / f"{who}{which}.wav") for who in ("iris", "samantha"))
        assert abs(12 * np.log2(usual / low) - 3) < 1, which
    capsys.readouterr()
    assert cli.main(["say", "x", "--persona", "nobody", "--out", "x.wav"]) == cli.ERROR
    said = capsys.readouterr().err
    assert "in this installation or in the store; there are: iris, samantha" in said


def test_growth_is_adopted_shown_compared_and_taken_back(
    capsys: pytest.CaptureFixture[str], iris: Path
) -> None:
    before = facts(capsys, "show", "iris")
    assert not any(before["spoken"].values())
    grown = facts(capsys, "grow", "iris")
    assert grown["adopted"]
    assert LIKE_HERSELF < grown["similarity"] < 1
    assert grown["spoken"] == grown["manner"] != before["spoken"]
    shown = facts(capsys, "show", "Iris")
    assert shown["similarity_to_birth"] == pytest.approx(grown["similarity"])
    assert "similarity  to birth, as she speaks: 0." in printed(capsys, "show", "iris")
    told = facts(capsys, "diff", "iris@birth", "iris")
    birth = printed(capsys, "diff", "iris@birth", "iris").split()[0]
    assert facts(capsys, "diff", birth, "iris") == told
    apart = told["values"]
    assert all(r["difference"] == 0 and r["one"] == VOICE[r["value"]] for r in apart[:4])
    register = next(r for r in apart if (r["of"], r["value"]) == ("spoken", "register_semitones"))
    assert register["difference"] == pytest.approx(grown["spoken"]["register_semitones"])
    assert register["noticeable"] == pytest.approx(register["difference"] / 1.95)
    day = time.strftime("%Y-%m-%d", time.gmtime(BORN_S + 20 * DAY_S))
    back = facts(capsys, "rollback", "iris", "--to", day)
    assert back["adopted"]
    then = facts(capsys, "diff", f"iris@{day}", "iris")["values"]
    assert all(r["difference"] == 0 for r in then if r["of"] == "manner")
    assert back["spoken"] == {r["value"]: r["one"] for r in then if r["of"] == "manner"}
    for line in ("adopted", "returned     -            to " + day):
        assert line in printed(capsys, "history", "iris")
    assert "must be before today" in refused(capsys, "rollback", "iris", "--to", "today")
    assert "a day of hers must be" in misused(capsys, "rollback", "iris", "--to", "1999-01-01")


def test_she_is_upgraded(capsys: pytest.CaptureFixture[str], iris: Path) -> None:
    old = Path(__file__).parents[1] / "data" / "converter_of_3270fbb.safetensors"
    done = facts(capsys, "upgrade", "iris", os.path.relpath(old))
    assert done["similarity"] > 0.9
    assert done["weights"] == str(old)
    assert facts(capsys, "show", "iris")["weights"] == str(old)
    assert f"to the weights {old}" in printed(capsys, "history", "iris")
    assert cli.main(["persona", "upgrade", "iris", "none.safetensors"]) == cli.MODEL


def test_the_same_sentence_at_several_ages(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, iris: Path
) -> None:
    facts(capsys, "grow", "iris")
    made = facts(
        capsys, "timelapse", "iris", "Good evening.", "--out", "lapse.wav", "--picture", "lapse.png"
    )
    assert [of["age_days"] for of in made["ages"]] == [0, 30, 90]
    assert made["ages"][0]["spoken"] != made["ages"][-1]["spoken"]
    samples, rate = soundfile.read(tmp_path / "lapse.wav")
    last = made["ages"][-1]
    assert abs(len(samples) / rate - last["starts_s"] - last["seconds"]) < 0.01
    assert (tmp_path / "lapse.png").stat().st_size > 20_000
    for ages, said in (("0,1000", "ages must lie in 0..=90"), ("x", "whole numbers of days")):
        words = ("timelapse", "iris", "Hi.", "--out", "x.wav", f"--ages={ages}")
        assert said in misused(capsys, *words)
    picture = ("timelapse", "iris", "Hi.", "--picture", "lapse.gif")
    assert "must end in .png, got lapse.gif" in misused(capsys, *picture)


def test_a_farewell_keeps_her_in_a_file_and_says_goodbye_before_she_is_erased(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, iris: Path
) -> None:
    assert "--yes must say so" in misused(capsys, "farewell", "iris")
    before = facts(capsys, "show", "iris")
    done = facts(capsys, "farewell", "iris", "--yes", "--voice-out", "bye.wav")
    assert done["erased_events"] == done["events"] == before["events"]
    assert np.abs(soundfile.read(tmp_path / "bye.wav")[0]).max() > 0.05
    assert 'no persona "iris"' in refused(capsys, "show", "iris")
    assert facts(capsys, "import", "iris.persona")["new_events"] == before["events"]
    after = facts(capsys, "show", "iris")
    assert (after["voice"], after["manner"]) == (before["voice"], before["manner"])
    assert "must not be there yet" in refused(capsys, "farewell", "iris", "--yes")


def test_a_farewell_that_cannot_be_kept_or_is_killed_erases_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, iris: Path
) -> None:
    before = facts(capsys, "show", "iris")["events"]
    assert refused(capsys, "farewell", "iris", "--yes", "--out", tmp_path / "no" / "such" / "f")
    assert refused(capsys, "farewell", "iris", "--yes", "--voice-out", tmp_path / "no" / "such.wav")
    assert facts(capsys, "show", "iris")["events"] == before
    assert not Path("iris.persona").exists(), "it would be in the way of the next try"
    code = (
        "import os, signal, sys\n"
        "import persona_voice.cli.persona_farewell as f\n"
        "f._say_goodbye = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from persona_voice.cli.main import main\n"
        "main(['persona', 'farewell', 'iris', '--yes', '--out', 'killed.persona'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path.cwd())
    assert done.returncode == -9
    assert facts(capsys, "show", "iris")["events"] == before
    assert facts(capsys, "import", tmp_path / "killed.persona")["events"] == before
