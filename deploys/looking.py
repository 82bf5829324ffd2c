"""Look at many hosts at once, a connection each; a dark host is an answer, not an exception."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from deploys import render
from deploys.errors import DeployError
from deploys.observed import Observed, observe
from deploys.ssh import Ssh, stop_running
from inventory.model import Host

THREADS_MOST = 32


def look(hosts: Sequence[Host]) -> dict[str, Observed | DeployError]:
    """What each host shows, or why it could not be seen."""

    def one(host: Host) -> Observed | DeployError:
        try:
            return observe(Ssh.of(host))
        except DeployError as error:
            return error

    with ThreadPoolExecutor(max_workers=min(len(hosts), THREADS_MOST)) as pool:
        try:
            answers = pool.map(one, hosts)
            render.prepare()  # while the hosts answer
            return dict(zip((host.name for host in hosts), answers, strict=True))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_running()  # an interrupted operator does not wait for a dark host's deadline
            raise
