"""A host's BMC over Redfish: typed, one machine, every call bounded, the service pinned by its certificate.

DMTF DSP0266 (the protocol) and DSP0268 (the schemas). A BMC has a certificate of its own making, so whoever
calls pins that: nothing is sent, and no password above all, to a service that shows another one. A BMC may
stand for several machines; which is meant is said by its UUID, and without it only the sole one is taken.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import requests
import sushy
from requests.adapters import HTTPAdapter
from sushy import auth, connector, exceptions

from transport.child import pause
from transport.errors import HostError, UnreachableError
from transport.ours import is_ours
from transport.sanitize import printable

CONNECT_S, ANSWER_S = 5.0, 60.0  # a BMC takes its time over a power switch
POLL_S = 0.5
SWITCH_TIMEOUT_S = 120.0  # some take a minute to see that the power is off
MEDIUM_S = 900.0  # some fetch all of a medium before they answer
CREDENTIAL_MAX = 1024
WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Value = str | int | bool


class BmcError(HostError):
    """A BMC that answers, and refuses or is not what was expected."""


class BootFrom(StrEnum):
    """What a machine starts from; the values are Redfish's words."""

    DISK = "Hdd"
    MEDIUM = "Cd"
    NETWORK = "Pxe"


class Switch(StrEnum):
    """How power is switched; the values are Redfish's words."""

    ON = "On"
    FORCE_OFF = "ForceOff"
    SHUT_DOWN = "GracefulShutdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcAddress:
    """Where HOST's BMC is, how it is known, and the file that holds `user:password`."""

    host: str
    url: str
    tls_sha256: str  # of its certificate, 64 hexadecimal digits
    credential: Path
    uuid: str = ""  # of the machine; empty: its BMC has only one


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSeen:
    """One look at a machine through its BMC."""

    uuid: str
    serial: str
    macs: tuple[str, ...]
    is_on: bool
    boot: str  # Redfish's word for what it starts from next
    bios: Mapping[str, Value]
    medium: str | None  # what is in its virtual drive


class Bmc:
    """One machine behind an opened BMC; each method is one call or a few, each bounded."""

    def __init__(self, address: BmcAddress, system: Any) -> None:
        self._address, self._system = address, system

    def look(self) -> MachineSeen:
        """Everything that is decided by, read anew."""
        with _told(self._address):
            system = self._system
            system.refresh(force=True)
            bios, cards, drive = system.bios, system.ethernet_interfaces, self._drive()
            bios.refresh(force=True)
            cards.refresh(force=True)
            return MachineSeen(
                uuid=str(system.uuid or "").lower(),
                serial=str(system.json.get("SerialNumber") or ""),
                macs=tuple(sorted(str(mac).lower() for mac in cards.summary)),
                is_on=_is_on(system),
                boot=str((system.json.get("Boot") or {}).get("BootSourceOverrideTarget") or ""),
                bios=dict(bios.attributes or {}),
                medium=str(drive.image or "") if drive is not None and drive.inserted else None,
            )

    def is_on(self) -> bool:
        """Whether it has power now."""
        with _told(self._address):
            self._system.refresh(force=True)
            return _is_on(self._system)

    def becomes(self, *, is_on: bool, within_s: float) -> bool:
        """Whether it has power, or has none, by then; a switch comes after its answer, so look until then."""
        until_s = time.monotonic() + within_s
        while self.is_on() is not is_on:
            if time.monotonic() > until_s:
                return False
            pause(POLL_S)
        return True

    def switch(self, how: Switch) -> None:
        """Switch its power; the change comes after the answer (`becomes`)."""
        with _told(self._address):
            self._system.reset_system(sushy.ResetType(how.value))

    def boot_from(self, device: BootFrom, *, once: bool) -> None:
        """What it starts from; a service may take `once` for `from now on`: set it back after a start."""
        with _told(self._address):
            enabled = (
                sushy.BootSourceOverrideEnabled.ONCE if once else sushy.BootSourceOverrideEnabled.CONTINUOUS
            )
            self._system.set_system_boot_options(target=sushy.BootSource(device.value), enabled=enabled)

    def set_bios(self, wanted: Mapping[str, Value]) -> None:
        """Set attributes for the next power-on; BmcError, with nothing sent, for one that it lacks."""
        with _told(self._address):
            known = self._system.bios.attributes or {}
            if missing := sorted(set(wanted) - set(known)):
                raise BmcError(
                    self._address.host,
                    f"its BIOS has no attribute {', '.join(missing)}; it has {', '.join(sorted(known))}",
                )
            self._system.bios.set_attributes(dict(wanted))

    def insert(self, url: str) -> None:
        """Put the medium at URL, which the BMC fetches, into the virtual drive."""
        with _told(self._address):
            self._required_drive().insert_media(url, inserted=True, write_protected=True)

    def eject(self) -> None:
        """Take out what is in the virtual drive."""
        with _told(self._address):
            self._required_drive().eject_media()

    def _required_drive(self) -> Any:
        drive = self._drive()
        if drive is None:
            raise BmcError(self._address.host, "its BMC has no virtual drive for a CD")
        return drive

    def _drive(self) -> Any | None:
        """The virtual drive that takes a CD: of the machine, or of its manager where services are older."""
        try:
            drives = self._system.virtual_media.get_members()
        except exceptions.MissingAttributeError:
            drives = [one for each in self._system.managers for one in each.virtual_media.get_members()]
        for drive in drives:
            if sushy.VirtualMediaType.CD in (drive.media_types or ()):
                drive.refresh(force=True)
                return drive
        return None


@contextmanager
def opened(address: BmcAddress, *, answer_s: float = ANSWER_S) -> Iterator[Bmc]:
    """The machine at ADDRESS. UnreachableError when nobody answers or another certificate is shown, BmcError
    for a wrong password and a wrong machine; nothing has been changed then. No answer takes longer than
    ANSWER_S; MEDIUM_S is for whoever inserts one."""
    user, password = _credential(address)
    with _told(address):
        wire = connector.Connector(
            address.url,
            verify=False,  # by the pin instead, before anything is sent
            server_side_retries=0,
            default_request_timeout=(CONNECT_S, answer_s),
        )
        session = wire._session  # there is no other way in
        session.trust_env = False  # no proxy, no .netrc
        session.mount("https://", _Pinned(address.tls_sha256))
        try:
            root = sushy.Sushy(
                address.url, auth=auth.BasicAuth(username=user, password=password), connector=wire
            )
            yield Bmc(address, _system(address, root.get_system_collection().get_members()))
        finally:
            wire.close()


class _Pinned(HTTPAdapter):
    """Certificates are not verified by who signed them but by what they are."""

    def __init__(self, sha256: str) -> None:
        self._sha256 = sha256
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        tls = ssl.SSLContext(
            ssl.PROTOCOL_TLS_CLIENT
        )  # not the default one, which reads every authority's key
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        super().init_poolmanager(*args, **kwargs, ssl_context=tls, assert_fingerprint=self._sha256)


def _system(address: BmcAddress, members: list[Any]) -> Any:
    if address.uuid:
        for one in members:
            if str(one.uuid or "").lower() == address.uuid.lower():
                return one
    elif len(members) == 1:
        return members[0]
    there = ", ".join(sorted(printable(str(one.uuid)) for one in members)) or "no machine"
    raise BmcError(
        address.host,
        f"its BMC stands for {there}, not for {address.uuid or 'one machine alone'}; nothing was changed",
        hint="compare with the sticker on the machine",
    )


def _is_on(system: Any) -> bool:
    return bool(system.power_state in {sushy.PowerState.ON, sushy.PowerState.POWERING_OFF})


def _credential(address: BmcAddress) -> tuple[str, str]:
    path = address.credential
    if not path.exists():
        raise BmcError(address.host, f"no credential of its BMC at {path}", hint="one line, user:password")
    if not is_ours(path) or path.stat().st_mode & 0o077:
        raise BmcError(address.host, f"{path}: others may read or write it", hint=f"chmod 600 {path}")
    with path.open("rb") as file:
        user, colon, password = file.read(CREDENTIAL_MAX).decode(errors="replace").strip().partition(":")
    if not colon or not user or not password:
        raise BmcError(address.host, f"{path}: expected one line, user:password")
    return user, password


@contextmanager
def _told(address: BmcAddress) -> Iterator[None]:
    """Whatever goes wrong in a call as one sentence, by its type and never by its text."""
    host, where = address.host, f"its BMC at {address.url}"
    try:
        yield
    except exceptions.AccessError as error:
        raise BmcError(host, f"{where} refuses the password in {address.credential}") from error
    except exceptions.HTTPError as error:
        said = printable(" ".join(str(error.detail or error).split())[:200])
        raise BmcError(host, f"{where} refused a request with {error.status_code}: {said}") from error
    except (exceptions.ConnectionError, requests.RequestException) as error:
        if _is_about_tls(error):
            raise UnreachableError(
                host, f"{where} does not show the certificate that is pinned; nothing was sent to it"
            ) from error
        raise UnreachableError(host, f"{where} does not answer") from error
    except exceptions.SushyError as error:
        said = printable(" ".join(str(error).split())[:200])
        raise BmcError(host, f"{where} answers with what is no Redfish: {said}") from error


def _is_about_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, requests.exceptions.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
