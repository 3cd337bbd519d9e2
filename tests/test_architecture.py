"""Who may know whom: the imports, read with `ast`, against the tables; and the tree as drawn."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "persona_voice"

BASE = {"errors", "units", "_core"}
# What each part may import of ours, besides itself.
MAY_IMPORT = {
    "errors": set(),
    "units": set(),
    "converter": BASE,
    "audio": BASE,
    "persona": BASE,
    "sources": BASE,
    "model": BASE | {"converter"},
    "path": BASE | {"converter", "persona", "audio"},  # audio: offline.py reads and writes files
    "live": BASE | {"converter", "persona", "path", "audio"},
    "build": BASE | {"converter", "audio", "persona", "sources", "model", "path", "live"},
    "growth": BASE | {"converter", "persona", "model", "path", "build"},
    "enrolment": BASE | {"audio", "persona", "sources", "model", "path", "build"},
    "cli": BASE
    | {"growth", "enrolment"}
    | {"converter", "audio", "persona", "sources", "path", "live", "build"},
    "__init__": {"_core", "build", "enrolment", "errors", "growth", "persona", "path"},
}
# Packages that only some parts may import, or some files and folders of a part.
ONLY_IN = {
    "torch": {"model"},
    "safetensors": {"model"},
    "sounddevice": {"audio"},
    "soundfile": {"audio"},
    "matplotlib": {"cli"},
    "espeakng_loader": {"sources"},
    "onnxruntime": {"sources"},
    "sqlalchemy": {"persona/store", "persona/leanings", "persona/migrations"},
    "alembic": {"persona/store", "persona/migrations"},
    "psycopg": set(),  # sqlalchemy loads it
    "cryptography": {"persona/persona_file"},
}
# The store waits for disks: whatever makes sound does not know it.
MAY_WAIT = {"persona", "cli", "build", "growth", "__init__"}


def part_of(file: Path, package: Path) -> str:
    return file.relative_to(package).parts[0].removesuffix(".py")


def may_import(file: Path, package: Path, name: str) -> bool:
    path = file.relative_to(package).with_suffix("").as_posix() + "/"
    places = ONLY_IN.get(name)
    return places is None or any(path.startswith(f"{place}/") for place in places)


def imported(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                names.append("(relative)")
            elif str(node.module).split(".")[0] == "persona_voice":
                names += [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                names.append(str(node.module))
    return names


def offences(package: Path) -> list[str]:
    found = []
    for file in sorted(package.rglob("*.py")):
        part = part_of(file, package)
        for name in imported(ast.parse(file.read_text())):
            words = name.split(".")
            if words[0] == "(relative)":
                found.append(f"{file.name}: a relative import")
            elif words[1:3] == ["persona", "store"] and part not in MAY_WAIT:
                found.append(f"{part} imports the store ({file.name})")
            elif words[0] == "persona_voice" and len(words) > 1 and words[1] != part:
                if words[1] not in MAY_IMPORT.get(part, set()):
                    found.append(f"{part} imports {words[1]} ({file.name})")
            elif not may_import(file, package, words[0]):
                found.append(f"{part} imports {words[0]} ({file.name})")
    return found


def test_every_import_points_inwards() -> None:
    assert offences(PACKAGE) == []


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("path", "import torch"),
        ("persona", "from persona_voice.model import network"),
        ("audio", "from persona_voice import build"),
        ("live", "from torch import nn"),
        ("sources", "from . import espeak"),
        ("cli", "import persona_voice.model.weights"),
        ("path", "from persona_voice.persona.store import Store"),
        ("live", "from persona_voice.persona import store"),
        ("persona", "import sqlalchemy as sa"),
    ],
)
def test_a_planted_offence_is_found(tmp_path: Path, part: str, line: str) -> None:
    (tmp_path / part).mkdir()
    (tmp_path / part / "planted.py").write_text(line + "\n")
    assert len(offences(tmp_path)) == 1


def test_the_tree_in_the_document_is_the_tree() -> None:
    drawn = set()
    folders: list[tuple[int, str]] = []
    text = (ROOT / "ARCHITECTURE.md").read_text().split("```tree\n")[1].split("```")[0]
    for line in text.splitlines():
        if not (match := re.match(r"( *)(\S+)", line)):
            continue
        depth, name = len(match[1]), match[2]
        folders = [(d, n) for d, n in folders if d < depth]
        path = "".join(n for _, n in folders) + name
        drawn.add(path)
        assert (ROOT / path).exists(), f"ARCHITECTURE.md draws {path}, which is not there"
        if name.endswith("/"):
            folders.append((depth, name))
    modules = {
        str(file.relative_to(ROOT))
        for folder, pattern in (("persona_voice", "*.py"), ("rust_core/src", "*.rs"))
        for file in (ROOT / folder).rglob(pattern)
        if file.name not in {"__init__.py", "mod.rs"}
    }
    assert modules <= drawn, f"ARCHITECTURE.md lacks {sorted(modules - drawn)}"


def test_the_core_does_not_know_python_and_denies_unsafe_to_all_but_two_files() -> None:
    manifest = (ROOT / "rust_core" / "Cargo.toml").read_text()
    assert "pyo3" not in manifest
    source = ROOT / "rust_core" / "src"
    assert "#![deny(unsafe_code)]" in (source / "lib.rs").read_text()
    texts = {f.name: f.read_text() for f in source.rglob("*.rs")}
    allowed = {name: text for name, text in texts.items() if "allow(unsafe_code)" in text}
    places = {name: text.count("unsafe {") for name, text in allowed.items()}
    assert places == {"half.rs": 2, "soon.rs": 1}
    assert places == {name: text.count("// SAFETY: ") for name, text in allowed.items()}
