"""An install is there or not: one that fails takes itself back, and a newer agent is never replaced."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import durable
from agent.errors import AgentError
from agent.host import HostRoot
from agent.install import install as installing

STAGED = ".agent.pyz.hft-1"
LIB = "usr/local/lib/hft"
CALLS_MAX = 20


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    (tmp_path / LIB).mkdir(parents=True)
    (tmp_path / LIB / STAGED).write_bytes(b"the new one")
    return HostRoot(root=str(tmp_path))


def older(host: HostRoot, monkeypatch: pytest.MonkeyPatch, version: str = "0.1.0+aaaa") -> None:
    """An earlier agent on this host, all of it."""
    install(host, monkeypatch, version)
    units = Path(host.path("/etc/systemd/system"))
    (units / "hft-irqs.service").write_text("[Service]\n# of an earlier release\n")
    (Path(host.root) / LIB / STAGED).write_bytes(b"the newer one")


def install(host: HostRoot, monkeypatch: pytest.MonkeyPatch, version: str) -> dict[str, Any]:
    monkeypatch.setattr(installing, "agent_version", lambda: version)
    return installing.install(host, STAGED)


def tree(host: HostRoot) -> dict[str, str]:
    """Everything but the lock and what was staged for this call."""
    found = {}
    for path in sorted(Path(host.root).rglob("*")):
        name = path.relative_to(host.root).as_posix()
        if path.name in {"lock", STAGED} or name in {"var", "var/lib", "var/lib/hft"}:
            continue
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = f"{path.stat().st_mode:o} {path.read_text(errors='replace')}"
    return found


def failing(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """The AT-th durable change of the install fails, and none after it."""
    done: list[str] = []

    def wrap(real: Callable[..., None]) -> Callable[..., None]:
        def change(host: HostRoot, path: str, *rest: Any) -> None:
            done.append(path)
            if len(done) == at:
                raise OSError(errno.EIO, "Input/output error", path)
            real(host, path, *rest)

        return change

    for name in ("write_file", "write_link", "make_dirs"):
        monkeypatch.setattr(durable, name, wrap(getattr(durable, name)))
    return done


@pytest.mark.parametrize("is_upgrade", [False, True])
def test_an_install_that_fails_anywhere_takes_itself_back(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch, is_upgrade: bool
) -> None:
    if is_upgrade:
        older(host, monkeypatch)
    before, failures = tree(host), 0
    for at in range(1, CALLS_MAX):
        (Path(host.root) / LIB).mkdir(parents=True, exist_ok=True)
        (Path(host.root) / LIB / STAGED).write_bytes(b"the new one")
        with monkeypatch.context() as patch:
            done = failing(patch, at)
            answer = install(host, patch, "0.2.0+bbbb")
        if len(done) < at:
            assert answer["result"] == "installed"
            break
        failures += 1
        assert (answer["result"], answer["code"]) == ("refused", "step_failed")
        assert tree(host) == before, done
        assert not (Path(host.root) / LIB / STAGED).exists()
    assert failures >= (2 if is_upgrade else 6)


def test_systemd_that_cannot_be_asked_leaves_no_agent(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host without a system bus: the first word to systemd fails, after the files were written."""

    def no_bus(_host: HostRoot) -> None:
        raise AgentError("step_failed", "systemctl daemon-reload: no bus")

    monkeypatch.setattr(installing, "reload", no_bus)
    answer = install(host, monkeypatch, "0.2.0+bbbb")
    assert answer["result"] == "refused"
    assert "no bus" in answer["message"]
    assert tree(host) == {}
    assert not Path(host.path("/usr/local/lib/hft")).exists()


NEWER = [
    ("0.2.0+aaaa", "0.1.9+bbbb"),
    ("0.10.0+aaaa", "0.9.0+bbbb"),
    ("1.0+a", "0.99.99+b"),
    ("0.2.0", "0.1.0"),
]
NOT_NEWER = [
    *(("0.1.0+aaaa", "0.1.0+bbbb"), ("0.1.0+aaaa", "0.2.0+bbbb"), ("0.9.0+a", "0.10.0+b"), ("", "0.1.0+a")),
    *(("source", "0.1.0+a"), ("9.9.9; rm", "0.1.0+a"), ("0.1.0+a", "source")),
]


@pytest.mark.parametrize(("there", "ours"), NEWER)
def test_an_older_agent_is_never_installed_over_a_newer_one(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch, there: str, ours: str
) -> None:
    older(host, monkeypatch, there)
    before = tree(host)
    answer = install(host, monkeypatch, ours)
    assert (answer["result"], answer["code"]) == ("refused", "older")
    assert there in answer["message"]
    assert tree(host) == before


@pytest.mark.parametrize(("there", "ours"), NOT_NEWER)
def test_any_other_agent_is_replaced(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch, there: str, ours: str
) -> None:
    older(host, monkeypatch, there)
    assert install(host, monkeypatch, ours)["result"] == "installed"
    assert (host.read(installing.VERSION) or "").strip() == ours
    assert host.read("/usr/local/lib/hft/agent.pyz") == "the newer one"
