"""`hft monitoring deploy`: the roles on the hosts that watch, under lock and record, shown host by host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from deploys.ansible import HostResult, RolesRun, State, TaskResult, run_roles
from hft.changing import ask
from hft.errors import Exit
from hft.locks import site_lock
from hft.run_log import recorded
from hft.toml_file import model_of
from inventory.errors import InventoryError
from inventory.model import Host, Site
from inventory.selection import select
from transport.show import tell, tell_document

ROLES = ("prometheus", "alertmanager", "node_exporter")
# No brace in either: Ansible takes a value with two of them for a template.
Url = Annotated[str, StringConstraints(pattern=r"^https?://[!-z|~]+$", max_length=2000)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
DebFile = Annotated[str, StringConstraints(pattern=r"^/[!-z|~]+$", max_length=1000)]


class Package(BaseModel):
    """Where one package comes from; what its source needs besides is the role's to ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["debian", "mirror", "local"] = "debian"
    url: Url | None = None
    sha256: Sha256 | None = None
    file: DebFile | None = None


class Packages(BaseModel):
    """The file of `--packages`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prometheus: Package = Package()
    alertmanager: Package = Package()
    node_exporter: Package = Package()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
    """What the operator asked for."""

    site: Site
    files: Mapping[str, str]
    limit: str | None = None
    packages: Path | None = None
    starts_units: bool = True
    yes: bool = False
    reason: str = ""
    takeover: bool = False
    as_json: bool = False


def tried(request: DeployRequest) -> Exit:
    """Ansible's check mode: what would change; exit code 3 where something would."""
    results = run_roles(_run_of(request, check=True))
    _show(request, results, check=True)
    code = exit_code(results)
    return Exit.PENDING if code is Exit.OK and any(one.of(State.CHANGED) for one in results) else code


def deployed(request: DeployRequest) -> Exit:
    """Under the site's lock and with a line in the run record for each host."""
    run = _run_of(request, check=False)
    names = [one.name for one in run.hosts]
    with site_lock(
        request.site.name, request.reason or "hft monitoring deploy", takeover=request.takeover
    ) as lock:
        ask(f"Deploy monitoring to {', '.join(names)}?", yes=request.yes, as_json=request.as_json)
        lock.check()
        with recorded(request.site.name, "monitoring deploy", hosts=names, reason=request.reason) as record:
            results = run_roles(run)
            for one in results:
                changed = [_name(task) for task in one.of(State.CHANGED)]
                record.ended(one.host, result=result_of(one), changed=changed)
            record.exit_code = exit_code(results)
            _show(request, results, check=False)
    return record.exit_code


def exit_code(results: Sequence[HostResult]) -> Exit:
    """The worst of all hosts: half undone, refused, unreachable, well."""
    found = {result_of(one) for one in results}
    order = {
        "half_undone": Exit.HALF_UNDONE,
        "refused": Exit.BAD_INPUT,
        "unreachable": Exit.UNREACHABLE,
    }
    return next((code for result, code in order.items() if result in found), Exit.OK)


def result_of(one: HostResult) -> str:
    """How a host ended: a task that failed after another had changed something leaves it half undone."""
    changed = bool(one.of(State.CHANGED))
    if one.of(State.FAILED) or (one.of(State.UNREACHABLE) and changed):
        return "half_undone" if changed else "refused"
    if one.of(State.UNREACHABLE):
        return "unreachable"
    return "applied" if changed else "no_change"


def packages_of(path: Path | None) -> Packages:
    """Where the packages come from.

    Raises: HftError (bad input) for a file that cannot be read or is not of this form.
    """
    return Packages() if path is None else model_of(path, Packages)


def _run_of(request: DeployRequest, *, check: bool) -> RolesRun:
    variables: dict[str, object] = {}
    for role, one in packages_of(request.packages):
        values = {f"package_{key}": value for key, value in one.model_dump().items() if value is not None}
        variables[f"{role}_package"] = values
    return RolesRun(
        site=request.site,
        hosts=_watching(request.site, request.limit),
        roles=ROLES,
        files=request.files,
        variables=variables,
        starts_units=request.starts_units,
        check=check,
    )


def _watching(site: Site, limit: str | None) -> tuple[Host, ...]:
    chosen = select(site, limit)
    hosts = tuple(one for one in chosen if one.role == "monitoring")
    if not hosts:
        names = ", ".join(one.name for one in chosen)
        raise InventoryError(f"{site.name}: none of {names} has role monitoring; limit to one that has")
    return hosts


def _show(request: DeployRequest, results: Sequence[HostResult], *, check: bool) -> None:
    if request.as_json:
        tell_document({"schema": 1, "dry_run": check, "hosts": [_document(one) for one in results]})
        return
    for one in results:
        changed, skipped = one.of(State.CHANGED), one.of(State.SKIPPED)
        word = "would change" if check else "changed"
        tell(
            f"{one.host}: {len(changed)} {word}, {len(one.of(State.OK))} as they were, {len(skipped)} skipped"
        )
        for task in changed:
            tell(f"  {word}: {task.role}: {_name(task)}")
        for task in (*one.of(State.FAILED), *one.of(State.UNREACHABLE)):
            tell(f"{one.host}: {task.role}: {task.task}: {task.message}", err=True)


def _name(task: TaskResult) -> str:
    return task.target or task.task


def _document(one: HostResult) -> dict[str, Any]:
    bad = (*one.of(State.FAILED), *one.of(State.UNREACHABLE))
    return {
        "host": one.host,
        "result": result_of(one),
        "changed": [
            {"role": task.role, "task": task.task, "target": task.target} for task in one.of(State.CHANGED)
        ],
        "skipped": [{"role": task.role, "task": task.task} for task in one.of(State.SKIPPED)],
        "failed": [{"role": task.role, "task": task.task, "message": task.message} for task in bad],
    }
