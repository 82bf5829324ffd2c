"""The campaign's payloads given to plain pyinfra and to ansible-core, on this machine, in an own directory.

    python -m tests.support.hostile_beside

Each payload is only ever the text of a line in a file: of an operator's variable, and for Ansible also of
what a host answered. Printed is how many were given and how many executed (each has a mark file of its own).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.hostile import PAYLOADS

# pyinfra's operations that put a text into a file; the payload is an argument of the operation.
DEPLOY = """
import json, os
from pathlib import Path
from pyinfra.operations import files

for number, text in enumerate(json.loads(Path(os.environ["PAYLOADS"]).read_text())):
    for name in ("line", "replace", "block"):
        target, mark = f"{os.environ['PLACE']}/{name}-{number}", f"{os.environ['MARKS']}/{name}-{number}"
        Path(target).write_text("x\\n")
        said = text.replace("{mark}", mark)
        try:
            if name == "line":
                files.line(path=target, line=said, _ignore_errors=True)
            elif name == "replace":
                files.replace(path=target, text="x", replace=said, _ignore_errors=True)
            else:
                files.block(path=target, content=said, _ignore_errors=True)
        except Exception as error:
            print("refused", name, number, type(error).__name__)
"""
OURS = ("\0", "\ud800")


def texts() -> list[str]:
    """The payloads that can stand in an argument and in YAML at all, their mark still to be named."""
    given = [one.replace("{{", "{").replace("}}", "}") for one in PAYLOADS]
    return [one for one in given if not any(c in one for c in OURS) and len(one) < 2000]


def pyinfra(folder: Path) -> None:
    """One run on @local."""
    (folder / "deploy.py").write_text(DEPLOY)
    (folder / "payloads").write_text(json.dumps(texts()))
    places = {name.upper(): str(folder / name) for name in ("payloads", "place", "marks")}
    argv = [sys.executable, "-m", "pyinfra", "-y", "@local", "deploy.py"]
    subprocess.run(
        argv, cwd=folder, env={**os.environ, **places}, capture_output=True, check=False, timeout=900
    )


def ansible(folder: Path) -> None:
    """One playbook on localhost; JSON is YAML."""
    variables, tasks = {"ansible_python_interpreter": sys.executable}, list[dict[str, Any]]()
    for number, text in enumerate(texts()):
        for name in ("variable", "answer"):
            said = text.replace("{mark}", str(folder / "marks" / f"{name}-{number}"))
            (folder / "place" / f"said-{name}-{number}").write_text(said)
            source = f"v{number}"
            if name == "variable":
                variables[source] = said
            else:
                source = "seen.stdout"
                read = {"argv": ["cat", f"{folder}/place/said-{name}-{number}"]}
                tasks.append({"ansible.builtin.command": read, "register": "seen", "ignore_errors": True})
            line = {"path": f"{folder}/place/{name}-{number}", "line": f"{{{{ {source} }}}}", "create": True}
            tasks.append({"ansible.builtin.lineinfile": line, "ignore_errors": True})
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": variables,
        "tasks": tasks,
    }
    (folder / "play.yml").write_text(json.dumps([play]))
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "play.yml"]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_LOCALHOST_WARNING": "false"}
    subprocess.run(argv, cwd=folder, env=environment, capture_output=True, check=False, timeout=900)


def _is_kept(folder: Path, name: str, number: int) -> bool:
    """Whether the file holds the payload as it was given, and not something else that became of it."""
    said = texts()[number].replace("{mark}", str(folder / "marks" / f"{name}-{number}"))
    target = folder / "place" / f"{name}-{number}"
    return target.is_file() and said in target.read_bytes().decode("utf-8", "replace")


def main() -> None:
    """Both, one after the other."""
    found = {}
    for tool in (pyinfra, ansible):
        with tempfile.TemporaryDirectory(prefix="hft-beside-") as made:
            for name in ("place", "marks"):
                (Path(made) / name).mkdir()
            tool(Path(made))
            marks = sorted(path.name for path in (Path(made) / "marks").iterdir())
            names = ("line", "replace", "block") if tool is pyinfra else ("variable", "answer")
            kept = sum(_is_kept(Path(made), name, number) for name in names for number in range(len(texts())))
            given = len(texts()) * len(names)
            found[tool.__name__] = {"given": given, "executed": len(marks), "which": marks, "kept": kept}
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
