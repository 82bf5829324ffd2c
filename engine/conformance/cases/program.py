"""The command line: manifest, version, --check, and what must be refused."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from engine.conformance.bench import Bench, demand
from engine.conformance.case import Register
from engine.conformance.errors import Broken
from engine.contract.canonical import digest
from engine.contract.process import ExitCode

REGISTER = Register()
case = REGISTER.case


def printed(done: subprocess.CompletedProcess[str], what: str) -> dict[str, Any]:
    """The JSON object that a verb printed; exit code 0 is required."""
    demand(done.returncode == 0, f"{what} exited {done.returncode}: {done.stderr.strip()[:200]}")
    try:
        found = json.loads(done.stdout)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Broken(f"{what} did not print one JSON object")
    return found


def refused(bench: Bench) -> None:
    """--check of the present configuration must exit 64 with one sentence."""
    done = bench.run("--check", "--config", str(bench.write_config()))
    demand(done.returncode == ExitCode.CONFIGURATION, f"--check exited {done.returncode}, not 64")
    demand(bool(done.stderr.strip()), "--check printed nothing on standard error")


@case("manifest.printed")
def manifest_is_the_artifacts(bench: Bench) -> None:
    found = printed(bench.run("--manifest"), "--manifest")
    demand(digest(found) == bench.artifact.digest, "--manifest prints a manifest with a different digest")


@case("version.printed")
def version_is_the_manifests(bench: Bench) -> None:
    found = printed(bench.run("--version", "--json"), "--version --json")
    manifest = bench.artifact.manifest
    identity = manifest.identity
    wanted = {"name": identity.name, "version": identity.version, "build": identity.build}
    wanted |= {"contract": manifest.contract, "level": manifest.level.value}
    wrong = [
        f"{name} is {found.get(name)!r}, not {value!r}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    demand(not wrong, "; ".join(wrong))


@case("check.accepts")
def check_prints_the_digests(bench: Bench) -> None:
    data = bench.limits(serial=3)
    found = printed(bench.run("--check", "--config", str(bench.write_config())), "--check")
    wanted = {
        "config_digest": digest(bench.config),
        "limits_digest": digest(json.loads(data)),
        "limits_serial": 3,
    }
    wrong = [
        f"{name} is {found.get(name)!r}, not {value!r}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    demand(not wrong, "; ".join(wrong))


@case("check.touches_nothing")
def check_leaves_files_and_gateway_alone(bench: Bench) -> None:
    config = bench.write_config()

    def seen() -> dict[str, tuple[int, int]]:
        found = sorted(bench.directory.rglob("*"))
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in found}

    before = seen()
    done = bench.run("--check", "--config", str(config))
    demand(done.returncode == 0, f"--check exited {done.returncode}")
    changed = sorted({name for name, _ in set(before.items()) ^ set(seen().items())})
    demand(not changed, f"--check changed {', '.join(changed)}")
    demand(not bench.log.all(), "--check opened a connection")


@case("config.refused")
def wrong_type_exits_64(bench: Bench) -> None:
    bench.config["feed_stale_ms"] = "soon"
    refused(bench)
    bench.must_exit(ExitCode.CONFIGURATION)


@case("config.refused")
def missing_field_exits_64(bench: Bench) -> None:
    del bench.config["latch_file"]
    refused(bench)


@case("config.refused")
def no_file_and_no_json_exit_64(bench: Bench) -> None:
    path = bench.directory / "config.json"
    for text in (None, "{"):
        if text is not None:
            path.write_text(text)
        done = bench.run("--check", "--config", str(path))
        demand(
            done.returncode == ExitCode.CONFIGURATION, f"--check of {text!r} exited {done.returncode}, not 64"
        )


@case("version.critical")
def unknown_critical_field_is_refused(bench: Bench) -> None:
    bench.config |= {"x_new_rule": 1, "critical": ["x_new_rule"]}
    refused(bench)


@case("version.unknown")
def unknown_field_is_ignored(bench: Bench) -> None:
    bench.config["x_new_hint"] = 1
    printed(bench.run("--check", "--config", str(bench.write_config())), "--check")


@case("version.major")
def next_major_version_is_refused(bench: Bench) -> None:
    bench.config["contract"] = "2.0.0"
    refused(bench)


@case("threads.declared")
def every_thread_is_declared(bench: Bench) -> None:
    declared = {thread.name for thread in bench.artifact.manifest.threads}
    engine = bench.active()
    seen = engine.threads()
    engine.must("demote")
    seen |= engine.threads()
    demand(
        bool(seen) and seen <= declared, f"threads that threads[] does not list: {sorted(seen - declared)}"
    )
