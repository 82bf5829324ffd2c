"""Which machine each host is: its identity, read over a connection that a person or an authority vouched for.

The host key is the only thing that is believed before anything is known, so somebody has to vouch for it: a
fingerprint from the console, or a host certificate of the site's SSH authority, which names the key of this
very host. Then the machine is asked over a connection that accepts that key alone.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hft import run_log
from hft.errors import HostsError
from inventory.bounded import read_bounded, reason_of
from inventory.certificates import Certificate, read_certificate
from inventory.enrolment import Enrolled, check_enrolled, write_all_enrolled
from inventory.errors import IdentityError, InventoryError
from inventory.identity import READ_SCRIPT, differences, fingerprint, of_keys_alone, parse_identity
from inventory.model import Host, Identity, Site
from transport.at_once import at_once
from transport.child import TooMuchOutputError, run_bounded
from transport.errors import HostError, UnreachableError
from transport.sanitize import printable
from transport.show import tell
from transport.ssh import Ssh

_KEYSCAN_S = 30  # three handshakes at once, on a host that may be busy
_KEY_TYPES = "ed25519,ecdsa,rsa"  # each type asked for is one more handshake with the host
_READ_S = 30.0
_LINE_MAX = 64 << 10
_TOOL_S = 10.0

Vouch = Callable[[Host], tuple[str, ...]]  # the keys of a host that somebody vouches for, never none


def by_fingerprints(accepted: Callable[[Host], frozenset[str]]) -> Vouch:
    """A person vouches: the offered keys whose fingerprint is one of the ACCEPTED ones of the host."""

    def vouch(target: Host) -> tuple[str, ...]:
        keys = _offered(target)
        matching = tuple(key for key in keys if fingerprint(key) in accepted(target))
        if not matching:
            shown = ", ".join(f"{fingerprint(key)} ({key.split()[0]})" for key in keys)
            wanted = " or ".join(sorted(accepted(target)))
            raise IdentityError(
                f"{target.name}: {_where(target)} shows {shown}, none is {wanted}; "
                "nothing was recorded; hint: read it on the host's console again, "
                "or find out who answers there",
                host=target.name,
            )
        return matching

    return vouch


def by_authority(path: Path) -> Vouch:
    """The site's SSH authority vouches, whose public key PATH is: the keys that it certified for the host."""
    authority = _public_key(path)

    def vouch(target: Host) -> tuple[str, ...]:
        certificates = [_verified(target, line) for line in _offered(target, certified=True)]
        faults = {one: _fault(one, authority, target.name) for one in certificates}
        good = tuple(sorted(one.host_key for one, fault in faults.items() if not fault))
        if not good:
            said = "; ".join(sorted(set(faults.values())))
            raise IdentityError(
                f"{target.name}: {_where(target)} shows no host certificate that {path} vouches for: {said}; "
                "nothing was recorded",
                host=target.name,
            )
        return good

    return vouch


def _fault(one: Certificate, authority: bytes, name: str) -> str:
    if one.authority != authority:
        return "another authority signed it"
    return one.fault(name, time.time())


def enrol_all(site: Site, inventory: Path, hosts: Sequence[Host], vouch: Vouch, reason: str) -> None:
    """Record what each of HOSTS is, all that can be; HostsError names the others, each with its reason."""
    names = [host.name for host in hosts]
    with run_log.recorded(site.name, "enrol", hosts=names, reason=reason) as run:
        found = at_once(lambda host: _identified(host, vouch), hosts)
        entries: dict[str, Enrolled] = {}
        wrong: list[tuple[str, Exception]] = []
        for host, seen in zip(hosts, found, strict=True):
            try:
                if isinstance(seen, Exception):
                    raise seen
                entry = Enrolled(identity=seen, at=run_log.now(), by=run_log.operator())
                check_enrolled(site, inventory, host.name, entry, beside=entries)
            except (IdentityError, InventoryError, HostError) as error:
                wrong.append((host.name, error))
            else:
                entries[host.name] = entry
        written = write_all_enrolled(inventory, entries) if entries else None
        for host in hosts:
            if host.name in entries:
                _tell(host, entries[host.name].identity, written, run)
        if len(hosts) == 1 and wrong:
            raise wrong[0][1]
        if wrong:
            raise HostsError(wrong, hint=f"{len(entries)} of {len(hosts)} hosts are enrolled")


def _tell(host: Host, seen: Identity, written: Path | None, run: run_log.Run) -> None:
    changes = differences(host.identity, seen) if host.identity is not None else []
    run.host(host.name, machine_id=seen.machine_id, changes=changes)
    for change in changes:
        tell(f"{host.name}: {change}")
    cards = f"{len(seen.macs)} network card(s)"
    tell(f"{host.name}: enrolled, machine-id {seen.machine_id}, {cards}; recorded in {written}")


def _identified(target: Host, vouch: Vouch) -> Identity | Exception:
    """The identity over a connection that accepts exactly the keys that are vouched for, or why not."""
    try:
        keys = vouch(target)
        pinned = target.model_copy(update={"identity": of_keys_alone(keys)})
        answer = Ssh.of(pinned).run(["sh", "-s"], stdin=READ_SCRIPT.encode(), timeout_s=_READ_S)
        return parse_identity(answer.stdout, keys, target.name)
    except (IdentityError, HostError) as error:
        return error


def _where(target: Host) -> str:
    return f"{target.address} port {target.ssh_port}"


def _offered(target: Host, *, certified: bool = False) -> tuple[str, ...]:
    """The public keys, or certificates, that whoever answers offers (ssh-keyscan(1)): not believed yet."""
    options = [
        *(["-c"] if certified else ["-t", _KEY_TYPES]),
        "-T",
        str(_KEYSCAN_S),
        "-p",
        str(target.ssh_port),
    ]
    argv = ["ssh-keyscan", *options, "--", target.address]
    through = f" through {target.jump.name}" if target.jump else ""
    what = "host certificates" if certified else "host keys"
    tell(f"{target.name}: asking {_where(target)}{through} for its {what}", err=True)
    try:
        if target.jump is not None:  # nobody else sees the target; its keys are compared all the same
            text = Ssh.of(target.jump).run(argv, timeout_s=2 * _KEYSCAN_S).stdout
        else:
            text = run_bounded(argv, stdin=b"", timeout_s=2 * _KEYSCAN_S).stdout.decode(errors="replace")
    except (OSError, TimeoutError, TooMuchOutputError) as error:
        raise UnreachableError(target.name, f"ssh-keyscan gave no answer: {error}") from error
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    keys = tuple(sorted({" ".join(words[-2:]) for words in lines if len(words) >= 2}))  # -c names no host
    if not keys:
        seen = "no host certificate is shown" if certified else "no ssh server answers"
        raise UnreachableError(target.name, f"{seen} at {_where(target)}; nothing was recorded")
    return keys


def _verified(target: Host, line: str) -> Certificate:
    """A certificate whose signature ssh-keygen(1) has verified; IdentityError for any other."""
    try:
        found = read_certificate(line)
    except IdentityError as error:
        raise IdentityError(f"{target.name}: {error}", host=target.name) from error
    try:
        argv = ["ssh-keygen", "-L", "-f", "-"]
        done = run_bounded(argv, stdin=f"{line}\n".encode(), timeout_s=_TOOL_S)
    except (OSError, TimeoutError, TooMuchOutputError) as error:
        raise IdentityError(
            f"{target.name}: its certificate could not be verified: {error}", host=target.name
        ) from error
    if done.returncode != 0:
        said = printable(done.stderr.decode(errors="replace").strip(), limit=200)
        raise IdentityError(
            f"{target.name}: its certificate is refused by ssh-keygen: {said}", host=target.name
        )
    return found


def _public_key(path: Path) -> bytes:
    """The blob of a public key file, as ssh-keygen(1) writes it."""
    try:
        words = read_bounded(path, _LINE_MAX).decode("ascii").split()
        blob = base64.b64decode(words[1], validate=True)
        size = int.from_bytes(blob[:4], "big")  # RFC 4253, section 6.6: it begins with its own type
        if blob[4 : 4 + size] != words[0].encode() or len(blob) <= 4 + size:
            raise ValueError("the type in the blob is another")
        return blob
    except (OSError, ValueError, IndexError) as error:
        why = reason_of(error) if isinstance(error, OSError) else "not a public key of ssh-keygen"
        raise InventoryError(f"{path}: cannot be used as an authority: {why}") from error
