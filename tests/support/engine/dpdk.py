"""What the DPDK tests need: the library to build with, root for namespaces, and the build itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from engine.toolchain.build import DPDK

PROGRAMS = ("hft-engine", "hft-venue")
PACKAGES = "scripts/packages-dpdk.txt"


def why_not() -> str | None:
    """What this machine lacks; None when the tests can run."""
    probe = ["pkg-config", "--exists", "libdpdk >= 22.11"]
    if shutil.which(probe[0]) is None or subprocess.run(probe, check=False).returncode != 0:
        return f"libdpdk is not installed ({PACKAGES})"
    return None if os.geteuid() == 0 else "network namespaces and raw sockets need root"


def given_build() -> Path | None:
    """$HFT_NATIVE_BUILD, if it has DPDK in it."""
    cache = Path(os.environ.get("HFT_NATIVE_BUILD", "/nonexistent")) / "CMakeCache.txt"
    built = cache.exists() and "HFT_DPDK:BOOL=ON" in cache.read_text()
    return cache.parent if built else None


# Compiled before the first test, where no time limit runs.
NATIVE_BUILDS = ((DPDK, PROGRAMS),)
NATIVE_BUILDS_NOW = NATIVE_BUILDS if why_not() is None and given_build() is None else ()
