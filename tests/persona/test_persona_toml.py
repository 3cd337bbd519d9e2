"""A persona's file: all of it, provenance and consent too, or none."""

from pathlib import Path

import pytest

from persona_voice.errors import PersonaFileError
from persona_voice.persona.persona import Delivery, load_persona, personas_folder, read_persona

TEXT = (personas_folder() / "samantha" / "persona.toml").read_text()


def test_the_one_that_comes_along_says_where_she_comes_from_and_by_whose_leave() -> None:
    persona = load_persona("Samantha")
    assert "imitates no person" in persona.provenance
    assert persona.consent.startswith("None needed")


@pytest.mark.parametrize("missing", ["consent", "provenance", "register_hz"])
def test_one_that_lacks_a_part_is_refused_and_the_part_is_named(
    tmp_path: Path, missing: str
) -> None:
    file = tmp_path / "persona.toml"
    file.write_text(TEXT.replace(f"\n{missing} =", "\nother ="))
    with pytest.raises(PersonaFileError, match=f"missing or unknown: .*{missing}") as caught:
        read_persona(file)
    assert caught.value.code == "bad_persona_file"


@pytest.mark.parametrize("text", ["name = ", TEXT.replace("195.0", '"low"')])
def test_what_is_no_persona_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "persona.toml"
    file.write_text(text)
    with pytest.raises(PersonaFileError) as caught:
        read_persona(file)
    assert caught.value.code == "bad_persona_file"


def test_a_delivery_is_read_and_one_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "persona.toml"
    file.write_text(TEXT + "\n[delivery]\ndynamics = 1.2\nonset_db = 2\n")
    assert read_persona(file).delivery == Delivery(dynamics=1.2, onset_db=2.0)
    for wrong in ('dynamics = "wide"', "tremble = 1.0", "jitter = true"):
        file.write_text(f"{TEXT}\n[delivery]\n{wrong}\n")
        with pytest.raises(PersonaFileError, match="delivery must be") as caught:
            read_persona(file)
        assert caught.value.code == "bad_persona_file"
