"""The failover file: which gateways and engines share one holder, where they are, what each engine may run.

    site = "ny4"                                  # of the run record and the lock
    authority_key = "~/.ssh/authority" # signs fences; never on an engine's host
    approvers = "/etc/hft/approvers"              # allowed_signers: who may approve, for `resume`

    [gateways.gw-1]
    admin_socket = "/run/hft-gateway/admin"
    host = "gw-host-1"                            # of the inventory; without it: this machine
    epochs = "odd"                                # where it has a peer, which issues the even ones

    [engines."engine-1/a"]
    admin_socket = "/run/hft-engine-a/admin.sock"
    host = "engine-1"
    unit = "hft-engine-a.service"                 # gets SIGUSR1 at a kill
    approved = [{ artifact = "sha256:..", config = "sha256:..", limits = "sha256:.." }]

It names no password and no secret but by path. It needs nothing that may be dark: no stack, no monitoring.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.ticket.epoch import Approval
from hft.errors import Exit, HftError, exit_code_of
from hft.toml_file import table_of
from transport.hint import command
from tuning.strict_json import ShapeError, Table

if TYPE_CHECKING:
    from inventory.model import Host, Site

SIZE_MAX = 1 << 20
_HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,62}/[a-z0-9]{1,16}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")  # it is part of a path: of the record, of the lock
_UNIT = re.compile(r"[A-Za-z0-9@_.-]{1,128}\.service")
_EPOCHS = {"odd": 1, "even": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A gateway or an engine: its name and how it is asked."""

    name: str  # of a gateway; HOST/SLOT of an engine
    admin_socket: str
    host: Host | None  # None: this machine
    unit: str = ""
    unknown: str = ""  # why nobody knows where it is; then it cannot be asked

    @property
    def is_service(self) -> bool:
        """Whether it is a unit on a host, which can be signalled there."""
        return bool(self.unit and (self.host or self.unknown))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Everything that the failover file says."""

    path: Path
    site: str
    authority_key: Path
    gateways: tuple[Program, ...]
    residues: dict[str, int]
    engines: tuple[Program, ...]
    approved: dict[str, tuple[Approval, ...]]
    approvers: Path | None = None  # allowed_signers: who may approve

    def who_may_approve(self) -> Path:
        """The approvers file; HftError when none is named, or others may write it."""
        from inventory.sshsig import refuse_shared

        if self.approvers is None:
            raise HftError(Exit.BAD_INPUT, f"{self.path}: approvers: missing; it names who may approve")
        try:
            refuse_shared(self.approvers, "who may approve")
        except OSError as error:
            raise HftError(Exit.BAD_INPUT, f"{self.approvers}: cannot be read: {error.strerror}") from error
        return self.approvers

    @property
    def look_again(self) -> str:
        """The command that shows how everything stands now."""
        return command("failover", "status", "--file", str(self.path))


HostOf = Callable[[str], "tuple[Host | None, str]"]  # by its name; or nobody, and why


def load_cluster(path: Path | None, inventory: str | None, *, is_emergency: bool = False) -> Cluster:
    """The file as values; HftError with one sentence when it cannot be used.

    In an EMERGENCY a host that the inventory does not tell costs only the programs on it: they are `unknown`.
    """
    if path is None:
        raise HftError(Exit.BAD_INPUT, "no failover file is named; hint: --file PATH, or set HFT_FAILOVER")
    return table_of(
        path, lambda table: _cluster(path, table, _hosts(inventory, is_emergency)), size_max=SIZE_MAX
    )


def _cluster(path: Path, table: Table, host_of: HostOf) -> Cluster:
    table.closed(("site", "authority_key", "approvers", "gateways", "engines"))
    gateways = tuple(_programs(table, "gateways", ("admin_socket", "host", "epochs"), host_of))
    engines = tuple(_programs(table, "engines", ("admin_socket", "host", "unit", "approved"), host_of))
    if not gateways or not engines:
        raise ShapeError("it needs at least one gateway and one engine")
    if wrong := [one.name for one in engines if not _HOLDER.fullmatch(one.name)]:
        raise ShapeError(f"engines.{wrong[0]}: expected HOST/SLOT, such as engine-1/a")
    site = table.text("site", size_max=200)
    if not _SITE.fullmatch(site):
        raise ShapeError(f"site: {site!r} is no site's name; letters, digits, '.', '_' and '-'")
    return Cluster(
        path=path,
        site=site,
        authority_key=Path(table.text("authority_key")).expanduser(),
        gateways=gateways,
        residues=_residues(table),
        engines=engines,
        approved={name: tuple(_approved(one)) for name, one in table.tables("engines")},
        approvers=Path(table.text("approvers")).expanduser() if "approvers" in table.fields else None,
    )


def _programs(table: Table, key: str, known: tuple[str, ...], host_of: HostOf) -> Iterator[Program]:
    for name, one in table.tables(key):
        one.closed(known)
        host = one.text_or_none("host", size_max=200) if "host" in one.fields else None
        unit = one.text("unit", size_max=140) if "unit" in one.fields else ""
        if unit and not _UNIT.fullmatch(unit):
            raise ShapeError(f"{key}.{name}.unit: {unit!r} is no name of a systemd service")
        found, unknown = host_of(host) if host else (None, "")
        yield Program(
            name=name,
            admin_socket=one.text("admin_socket", size_max=107),  # sun_path of unix(7)
            host=found,
            unit=unit,
            unknown=unknown,
        )


def _hosts(inventory: str | None, is_emergency: bool) -> HostOf:
    """Hosts of the site that every verb would choose here; read once, and only when a host is named."""
    sites: list[Site] = []

    def host_of(name: str) -> tuple[Host | None, str]:
        from hft.sites import load
        from inventory.selection import select_one

        try:
            sites[:] = sites or [load(inventory)]
            return select_one(sites[0], name), ""
        except Exception as error:
            if not is_emergency or exit_code_of(error) is None:
                raise
            return None, str(error)

    return host_of


def _residues(table: Table) -> dict[str, int]:
    said = {name: one.text("epochs") for name, one in table.tables("gateways") if "epochs" in one.fields}
    if wrong := [word for word in said.values() if word not in _EPOCHS]:
        raise ShapeError(f"epochs: expected odd or even, found {wrong[0]!r}")
    gateways = len(tuple(table.tables("gateways")))
    if gateways > 1 and (len(said) != gateways or len(set(said.values())) != gateways):
        raise ShapeError('gateways: of a pair one has epochs = "odd" and the other epochs = "even"')
    return {name: _EPOCHS[word] for name, word in said.items()}


def _approved(engine: Table) -> Iterator[Approval]:
    if "approved" not in engine.fields:
        return
    for row in engine.rows("approved"):
        row.closed(("artifact", "config", "limits"))
        found = {key: row.text(key, size_max=80) for key in ("artifact", "config", "limits")}
        if wrong := [key for key, value in found.items() if not _DIGEST.fullmatch(value)]:
            raise ShapeError(f"approved: {wrong[0]}: expected sha256: and 64 hexadecimal digits")
        yield Approval(**found)
