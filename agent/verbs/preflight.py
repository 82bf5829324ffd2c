"""The verb `preflight`: everything for which `apply` would refuse a document, all of it at once.

It writes nothing.

The same functions as in `apply`, in the same order, each asked for itself, so that one refusal does not hide
the next. No lock is taken and no earlier transaction is undone: what `apply` would find after that is not
foreseen, and neither is what fails only when it is written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from agent import lock, narrow, obstacles, parsing
from agent.document import Document
from agent.errors import AgentError, RefusedError, explain_os_error
from agent.host import HostRoot
from agent.install import install
from agent.transaction import transaction
from agent.transaction.step_handlers import actors_of
from agent.verbs import apply
from tuning.held_irqs import HELD_IRQS_FILE


def preflight(host: HostRoot, argv: Sequence[str]) -> int:
    """Verb `preflight`: the document on standard input; prints its refusals."""
    try:
        if list(argv) not in ([], [narrow.NARROW]):
            raise RefusedError("bad_document", "preflight reads a document from standard input")
        document = parsing.parse(sys.stdin.buffer.read(parsing.DOCUMENT_BYTES_MAX + 1))
        if argv:
            narrow.check(host, document)
        found = list(refusals(host, document))
    except (AgentError, OSError) as error:
        found = [refusal_of(error)]
    told = list(dict.fromkeys((one.code, str(one)) for one in found))
    answer = {"schema": 1, "refusals": [{"code": code, "message": message} for code, message in told]}
    print(json.dumps(answer), flush=True)
    return 2 if found else 0


def refusals(host: HostRoot, document: Document) -> Iterator[AgentError]:
    """Each refusal of this document, in the order in which `apply` would come to it."""
    whole = document
    try:
        whole = transaction.with_state(host, document, apply.committed_of(document))
    except (AgentError, OSError) as error:
        yield refusal_of(error)
    for check in checks(host, document, whole):
        try:
            check()
        except (AgentError, OSError) as error:
            yield refusal_of(error)


def checks(host: HostRoot, document: Document, whole: Document) -> Iterator[Callable[[], object]]:
    """What `apply` asks before it writes; WHOLE has the step of the state, too."""
    yield partial(install.check_places, host)
    yield partial(lock.check_places, host)
    yield partial(apply.refuse_open_trial, host)
    yield partial(transaction.check_turn, host, document)
    yield partial(obstacles.check, host, files=(HELD_IRQS_FILE,))
    yield from (actor.observe for actor in actors_of(host, whole))
    yield partial(apply.check_fresh, host, document)


def refusal_of(error: AgentError | OSError) -> AgentError:
    """An error as the refusal that `apply` makes of it."""
    if isinstance(error, AgentError):
        return error
    return explain_os_error(error, f"before anything is changed: {error.filename or 'a system call'}")
