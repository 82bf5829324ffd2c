"""One host decides for itself alone: who is in the way is named line by line, and may be left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deploys.errors import DeployError, RefusedError
from deploys.rollout.outcome import outcome_of
from deploys.tune.changes import Change
from hft.cli import run_guarded
from hft.errors import Exit, HostsError
from hft.verbs import apply as verb
from hft.verbs import engine_deploy
from hft.verbs.apply import ApplyRequest, Decision, decided
from hft.views.apply import exit_code_of_ends, show_pending
from inventory.model import Host, Site
from transport.errors import CannotRunError, FloodError, HostError, NotEnrolledError, UnreachableError
from transport.ssh import Ssh

HOSTS = tuple(
    Host(name=f"e{n}", address=f"192.0.2.{n}", role="engine", failure_domain=f"rack-{n}", profile="engine")
    for n in (1, 2, 3)
)
DARK = UnreachableError("e2", "no answer from 192.0.2.2 port 22 within 10 s")


def request(*, require_all: bool = False) -> ApplyRequest:
    return ApplyRequest(site=Site(name="rack", hosts=HOSTS), hosts=HOSTS, yes=True, require_all=require_all)


def looked(monkeypatch: pytest.MonkeyPatch, **wrong: Exception) -> None:
    """Every host answers but those that are named; what is decided for a host is its name."""
    seen = {host.name: wrong.get(host.name, "answer") for host in HOSTS}
    monkeypatch.setattr(verb, "look", lambda _hosts, retries: seen)
    monkeypatch.setattr(verb, "decide_one", lambda _request, host, _answer: SimpleNamespace(host=host))


def names(decision: Decision) -> tuple[list[str], list[str]]:
    return [one.host.name for one in decision.changes], [one.host for one in decision.dark]


@pytest.mark.parametrize("kind", [UnreachableError, CannotRunError])
def test_a_dark_host_is_left_out_unless_all_are_required(
    kind: type[HostError], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked(monkeypatch, e2=kind("e2", "dark"))
    with pytest.raises(HostsError) as caught:
        decided(request(require_all=True))
    assert caught.value.exit_code is Exit.UNREACHABLE
    assert "without them: hft apply --limit '!e2'" in caught.value.hint
    assert names(decided(request())) == (["e1", "e3"], ["e2"])


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (RefusedError("e2", "another machine"), Exit.BAD_INPUT),
        (NotEnrolledError("e2", "not enrolled"), Exit.BAD_INPUT),
        (DeployError("e2", "its answer cannot be read"), Exit.INTERNAL),
    ],
)
def test_only_silence_may_be_skipped(wrong: HostError, code: Exit, monkeypatch: pytest.MonkeyPatch) -> None:
    looked(monkeypatch, e1=UnreachableError("e1", "dark"), e2=wrong)
    with pytest.raises(HostsError) as caught:
        decided(request())
    assert caught.value.exit_code is code
    assert [host for host, _ in caught.value.errors] == ["e2"]


def test_all_dark_is_no_run_over_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked(monkeypatch, **{host.name: UnreachableError(host.name, "dark") for host in HOSTS})
    with pytest.raises(HostsError) as caught:
        decided(request())
    assert caught.value.exit_code is Exit.UNREACHABLE


def test_a_deploy_names_every_host_in_its_way_as_an_apply_does(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: dict[str, HostError] = {
        "e1": UnreachableError("e1", "dark"),
        "e3": RefusedError("e3", "no plan", hint="apply first"),
    }

    def decided_on(host: Host, *_: object) -> SimpleNamespace:
        if host.name in wrong:
            raise wrong[host.name]
        return SimpleNamespace(host=host)

    monkeypatch.setattr(engine_deploy, "decided_on", decided_on)
    monkeypatch.setattr(Ssh, "of", lambda host: host)
    with pytest.raises(HostsError) as caught:
        engine_deploy.decided(cast("Any", None), HOSTS)
    assert [error for _, error in caught.value.errors] == list(wrong.values())
    assert caught.value.exit_code is Exit.BAD_INPUT
    wrong.clear()
    assert len(engine_deploy.decided(cast("Any", None), HOSTS)) == len(HOSTS)


def test_a_skipped_host_ends_the_run_as_unreachable_and_hides_no_worse_end() -> None:
    skipped = outcome_of("e2", DARK)
    good = outcome_of("e1", RefusedError("e1", "x"))
    assert exit_code_of_ends([skipped]) is Exit.UNREACHABLE
    assert exit_code_of_ends([good, skipped]) is Exit.BAD_INPUT
    assert exit_code_of_ends([outcome_of("e1", FloodError("e1", "x"))]) is not Exit.OK


def alike(name: str, plan: str, *keys: str) -> Any:
    items = [Change(concern="sysctl", seen=f"{key}: 60 -> 10", why="w", key=key, mode="safe") for key in keys]
    return SimpleNamespace(
        host=next(host for host in HOSTS if host.name == name), now=tuple(items), waiting=(),
        pending=tuple(items), refused=(), waits_for="", is_boot_pending=False,
        plan=SimpleNamespace(plan_hash=plan * 64, settings=items),
    )  # fmt: skip


def test_hosts_that_need_the_same_are_shown_once_with_a_sum(capsys: pytest.CaptureFixture[str]) -> None:
    works = [alike("e1", "a", "vm.swappiness"), alike("e2", "b"), alike("e3", "a", "vm.swappiness")]
    show_pending(works, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "e1, e3: 1 pending, plan aaaaaaaaaaaa"
    assert sum("vm.swappiness" in line for line in lines) == 1
    assert lines[-1] == "3 hosts: 2 with changes, 1 as planned; 2 pending in all"


DARK_SITE = {
    "name": "rack",
    "hosts": [
        {
            "name": f"e{n}",
            "address": f"192.0.2.{n}",
            "role": "engine",
            "failure_domain": "a",
            "profile": "engine",
        }
        for n in (1, 2)
    ],
}


def run(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run_guarded(list(words))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    "verb_words", [("apply", "--dry-run"), ("apply", "--yes"), ("check", "--config-only")]
)
def test_hosts_that_nobody_enrolled_are_not_dark_and_each_has_a_line(
    verb_words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(DARK_SITE))
    code, out, err = run([*verb_words, "--inventory", str(path)], capsys)
    assert code in (Exit.BAD_INPUT, Exit.UNVERIFIABLE)
    for name in ("e1", "e2"):
        enrol = f"hft host enrol {name} --fingerprint SHA256:... --inventory {path}"
        assert sum(enrol in line for line in (out + err).splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("apply", "--dry-run", "--inventory", "SITE"), 2),
        (("plan", "--host", "e1", "--inventory", "SITE"), 2),
        (("plan", "--host", "nosuch", "--inventory", "SITE"), 2),
        (("status", "--inventory", "/nosuch.toml"), 2),
        (("plan", "--snapshot", "/dev/null"), 2),
        (("status", "--nosuch"), 2),
        (("host", "list", "--limit", "!e1,!e2", "--inventory", "SITE"), 2),
    ],
)
def test_an_error_with_json_is_a_document_with_error_host_and_code(
    words: tuple[str, ...], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(DARK_SITE))
    seen, out, err = run([*(str(path) if word == "SITE" else word for word in words), "--json"], capsys)
    document = json.loads(out)
    assert (seen, document["code"], document["schema"]) == (code, code, 1)
    assert document["error"]
    assert "hft: " in err
    if words[:2] == ("plan", "--host") and words[2] == "e1":
        assert document["host"] == "e1"
    if words[0] == "apply":
        assert [one["host"] for one in document["hosts"]] == ["e1", "e2"]
