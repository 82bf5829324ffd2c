"""Which engine runs, which language host, and the environment that both are given.

The user's own Pulumi on PATH comes first, with the language host that came with it. Without one it is the
engine that `make setup-stacks` built in this checkout, with our stand-in for the language host
(stacks/language). Nothing is fetched at run time: what is missing is an error.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from stacks.errors import StackError
from stacks.runner.leftovers import MARK

PACKAGE = Path(__file__).parents[1]
BUILT = PACKAGE.parent / ".setup" / "stacks" / "bin"
STAND_IN = PACKAGE / "language" / "bin"
ENGINE, HOST = "pulumi", "pulumi-language-python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """An engine and its language host; DIRECTORIES go before PATH, FOUND says whose they are."""

    engine: Path
    host: Path
    directories: tuple[Path, ...]
    found: str

    @property
    def is_stand_in(self) -> bool:
        """Whether the language host is ours."""
        return self.host.parent == STAND_IN

    def sentence(self, engine_version: str) -> str:
        """Which engine, language host and providers a run uses."""
        host = "the stand-in of this release" if self.is_stand_in else str(self.host)
        return (
            f"engine: Pulumi {engine_version}, {self.found} ({self.engine}); language host: {host}; "
            f"dynamic providers: Pulumi SDK {version('pulumi')} for Python "
            f"{sys.version_info.major}.{sys.version_info.minor}"
        )


def find_tools(path: str | None = None, built: Path = BUILT) -> Tools:
    """The engine of PATH (default: this process's) with its language host, else the built one.

    StackError where there is neither.
    """
    engine, host = (shutil.which(name, path=path) for name in (ENGINE, HOST))
    if engine and host:
        return Tools(engine=Path(engine), host=Path(host), directories=(), found="of PATH")
    if (built / ENGINE).is_file():
        return Tools(
            engine=built / ENGINE,
            host=STAND_IN / HOST,
            directories=(built, STAND_IN),
            found="built by make setup-stacks",
        )
    missing = f"{engine} is there without its {HOST}" if engine else "no Pulumi engine is on PATH"
    raise StackError(f"{missing}, and none was built here; hint: make setup-stacks, or install Pulumi")


def environment(tools: Tools, root: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of every run of a site whose state is in ROOT, beside those that are GIVEN (default:
    ours).

    The passphrase is a file's: no process is told it in an argument.
    """
    have = os.environ if given is None else given
    ours = Path(sys.executable).parent  # `python3` is then the one that has the programs' packages
    before = [str(one) for one in (ours, *tools.directories)]
    found = {
        "PATH": os.pathsep.join([*before, have.get("PATH", os.defpath)]),
        MARK: str(root),
        # Without `metadata=skip` every write leaves a file of attributes beside the state, written in place:
        # a kill in that moment made the whole state unreadable (stacks/runner/mend.py).
        "PULUMI_BACKEND_URL": f"file://{root / 'backend'}?metadata=skip",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    if not have.get("PULUMI_CONFIG_PASSPHRASE") and not have.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        found["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(root / "passphrase")
    if tools.is_stand_in:  # a user's own engine has its plug-ins where the user keeps them
        found["PULUMI_HOME"] = str(root / "home")
    return found
