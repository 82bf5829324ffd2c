"""The documents as a site: what mkdocs (mkdocs.yml) asks for while it builds.

    make docs          then open build/docs/index.html

The pages are those of the checkout, with the README as the first; what is generated here has no other source
than the code: the commands (click), the exit codes (hft.errors) and the JSON schemas. Settings, verdicts,
refusals, alerts and the engine contract are pages that tests compare with the code already.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hft.cli import cli
from hft.command_texts import CommandText, Kind, command_texts, parts
from hft.errors import Exit
from hft.pages import find, rows_of
from tests.support.checkout import ROOT
from tests.support.doc_pages import links, slug

if TYPE_CHECKING:  # what is generated is tested without mkdocs, too
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

# Pages beside docs/, by the name that they have in the site.
BESIDE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
}
COMMANDS, CODES, SCHEMAS = "commands/index.md", "exit-codes.md", "schemas.md"
_TEST_MARK = re.compile(r"^<!-- test: [^>]*-->\n", re.M)
_ROW, _CODE = re.compile(r"^\|.*$", re.M), re.compile(r"`[^`\n]+`")
_SPECIAL = re.compile(r"([\\*_\[\]#|])")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Anchors as the forges make them, and a line of the navigation for each verb."""
    config.mdx_configs["toc"] = {**config.mdx_configs.get("toc", {}), "slugify": slug}
    for section in config.nav or []:
        for entry in next(iter(section.values())):
            if isinstance(entry, dict) and "Commands" in entry:
                entry["Commands"] = [COMMANDS, *command_pages()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    from mkdocs.structure.files import File

    made = {name: (ROOT / source).read_text(encoding="utf-8") for name, source in BESIDE.items()}
    made |= {CODES: exit_codes(), SCHEMAS: schemas(), COMMANDS: list_of_commands(), **command_pages()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    name = page.file.src_uri
    return for_site(markdown, name)


def for_site(text: str, name: str) -> str:
    """The text of the page NAME as a reader of the site has it: no marks of tests, links that stay inside."""
    source = PurePosixPath(BESIDE.get(name, f"docs/{name}"))
    shown, end = [], 0
    text = _TEST_MARK.sub("", text)
    # In a table a forge wants \| within code, and Python-Markdown shows its backslash.
    text = _ROW.sub(lambda row: _CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0]), text)
    for match in links(text):
        shown += [text[end : match.start()], _link(match["text"], match["target"], name, source)]
        end = match.end()
    return "".join([*shown, text[end:]])


def _link(words: str, target: str, name: str, source: PurePosixPath) -> str:
    path, sharp, anchor = target.partition("#")
    if not path or "://" in target:
        return f"[{words}]({target})"
    aimed = os.path.normpath(source.parent / path)
    places = {**{origin: page for page, origin in BESIDE.items()}, "docs/schema": SCHEMAS}
    found = places.get(aimed) or (aimed.removeprefix("docs/") if aimed.startswith("docs/") else "")
    if not found:  # a file of the checkout, which the site does not have
        return words if words.strip("`") == path else f"{words} (`{aimed}`)"
    return f"[{words}]({os.path.relpath(found, PurePosixPath(name).parent)}{sharp}{anchor})"


def exit_codes() -> str:
    """The codes of `hft.errors`, each with the row of docs/ci.md; LookupError for one that has none."""
    rows = list(rows_of("ci.md", (ROOT / "docs/ci.md").read_text(encoding="utf-8")))
    lines = [
        "# Exit codes",
        "",
        "More on each: [for CI](ci.md#exit-codes).",
        "",
        "| code | name | meaning |",
        "|---|---|---|",
    ]
    for code in Exit:
        cells = find(rows, str(int(code)))[0].cells
        lines.append(f"| {code:d} | {cells['name']} | {_plain(cells['meaning'])} |")
    return "\n".join([*lines, ""])


def schemas() -> str:
    """The JSON documents that other programs may read: what each key is."""
    lines = ["# JSON schemas", "", "Documents in words: [what the controller writes](schema/controller.md)."]
    for path in sorted((ROOT / "docs/schema").glob("*.schema.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        lines += [
            "",
            f"## {document['title']}",
            "",
            f"{_plain(document['description'])} [The schema](schema/{path.name}).",
        ]
        lines += ["", "| key | type | meaning |", "|---|---|---|"]
        lines += [
            f"| `{key}` | {_plain(_type_of(value))} | {_plain(value.get('description', ''))} |"
            for key, value in document["properties"].items()
        ]
    return "\n".join([*lines, ""])


def _type_of(value: dict[str, Any]) -> str:
    if "const" in value:
        return json.dumps(value["const"])
    if "enum" in value:
        return ", ".join(map(str, value["enum"]))
    kind = value.get("type") or value.get("$ref", "").rpartition("/")[2]
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def list_of_commands() -> str:
    first, *rest = command_texts(cli)
    lines = [
        "# Commands",
        "",
        _plain(first.summary),
        "",
        _plain(first.description),
        "",
        "| command | for |",
        "|---|---|",
    ]
    lines += [f"| [{one.name}]({one.words[1]}.md#{slug(one.name)}) | {_plain(one.summary)} |" for one in rest]
    return "\n".join([*lines, ""])


def command_pages() -> dict[str, str]:
    """A page for each verb, with the commands below it."""
    made: dict[str, list[str]] = {}
    for one in command_texts(cli):
        if len(one.words) > 1:
            made.setdefault(f"commands/{one.words[1]}.md", []).extend(_command(one))
    return {name: "\n".join([*lines, ""]) for name, lines in made.items()}


def _command(one: CommandText) -> Iterator[str]:
    yield from ("", f"{'#' * (len(one.words) - 1)} {one.name}", "", _plain(one.summary))
    yield from ("", "```text", f"{one.name} {one.usage}", "```")
    yield from _parts(one.description)
    if one.options:
        yield from ("", "| option | for |", "|---|---|")
        yield from (f"| `{option}` | {_plain(told)} |" for option, told in one.options)
    yield from _parts(one.epilog)


def _parts(text: str) -> Iterator[str]:
    for kind, body in parts(text):
        match kind:
            case Kind.PROSE:
                yield from ("", _plain(body))
            case Kind.KEPT:
                yield from ("", "```text", body, "```")
            case Kind.EXAMPLES:
                yield from ("", "```sh", body, "```")


def _plain(text: str) -> str:
    """TEXT as it reads, whatever Markdown would take it for; what stands in backquotes is code already."""
    pieces = re.split(r"(`[^`\n]+`)", " ".join(text.split()))
    return "".join(
        one if number % 2 else _SPECIAL.sub(r"\\\1", one).replace("<", "&lt;")
        for number, one in enumerate(pieces)
    )
