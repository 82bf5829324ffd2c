"""The BMC of a lab as a service: Redfish with TLS and basic authentication, on loopback alone.

Its key, certificate and credential are made once and lie in the lab's own directory, so they end with it.
The emulator keeps everything on one application of its module: one process serves one lab.
sushy-tools is an extra (`make setup-stacks`, or a checkout's tools).
"""

from __future__ import annotations

import datetime
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from lab.driver import Lab
from lab.paths import private_dir
from lab.ports import free_port
from stacks.errors import StackError

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

USER = "operator"
VALID_DAYS = 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcFiles:
    """What a lab's BMC keeps."""

    directory: Path

    @property
    def certificate(self) -> Path:
        """Self-signed: whoever calls pins it."""
        return self.directory / "certificate.pem"

    @property
    def key(self) -> Path:
        """The certificate's private key."""
        return self.directory / "key.pem"

    @property
    def credential(self) -> Path:
        """`user:password`, one line, readable by this account alone."""
        return self.directory / "credential"

    @property
    def users(self) -> Path:
        """The same with the password hashed, for the emulator."""
        return self.directory / "users"

    def tls_sha256(self) -> str:
        """The pin: SHA-256 of the certificate as it goes over the wire (DER)."""
        from cryptography import x509
        from cryptography.hazmat.primitives.hashes import SHA256

        return x509.load_pem_x509_certificate(self.certificate.read_bytes()).fingerprint(SHA256()).hex()


def files_of(lab: Lab) -> BmcFiles:
    """The files of LAB's BMC, made when they are missing."""
    private_dir(lab.directory)
    files = BmcFiles(directory=private_dir(lab.directory / "bmc"))
    if not files.certificate.exists():
        _make_certificate(files)
    if not files.users.exists():
        _make_credential(files)
    return files


@contextmanager
def serving(lab: Lab, *, port: int = 0) -> Iterator[str]:
    """Serve LAB's bare machines and give the base URL, until the block ends. PORT 0 is any free one."""
    server = _server(lab, files_of(lab), port or free_port())
    thread = Thread(target=server.serve_forever, name="bmc")
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _server(lab: Lab, files: BmcFiles, port: int) -> BaseWSGIServer:
    try:
        from sushy_tools.emulator import main
        from werkzeug.serving import make_server

        from stacks.bmc.systems import LabSystems
    except ImportError as error:
        raise StackError(f"no Redfish emulator here ({error.name}); hint: make setup-stacks") from error
    # Its routes hang on one module-wide application; what it drives, and who may call, is set on that.
    main.Application.systems = LabSystems(lab)
    main.app.config.update(
        SUSHY_EMULATOR_STATE_DIR=str(private_dir(files.directory / "state")),
        SUSHY_EMULATOR_VMEDIA_DEVICES={"Cd": {"Name": "Virtual CD", "MediaTypes": ["CD", "DVD"]}},
    )
    # A medium that it fetched goes to where temporary files go, and stays there when nobody ejects it.
    tempfile.tempdir = str(private_dir(files.directory / "media"))
    guarded = main.RedfishAuthMiddleware(main.Application.wsgi_app.__get__(main.app), str(files.users))
    try:
        return make_server(
            "127.0.0.1", port, guarded, threaded=True, ssl_context=(str(files.certificate), str(files.key))
        )
    except (OSError, SystemExit) as error:
        raise StackError(f"the BMC cannot listen on 127.0.0.1 port {port}: {error}") from error


def _make_certificate(files: BmcFiles) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bmc.invalid")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .sign(key, SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _keep(files.key, private)
    _keep(files.certificate, made.public_bytes(pem))


def _make_credential(files: BmcFiles) -> None:
    import bcrypt

    password = secrets.token_urlsafe(24)
    _keep(files.credential, f"{USER}:{password}\n".encode())
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4))
    _keep(files.users, f"{USER}:".encode() + hashed + b"\n")


def _keep(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
