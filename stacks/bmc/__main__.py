"""`python -m stacks.bmc LAB [PORT]`: serve a lab's BMC until standard input ends; prints its address."""

from __future__ import annotations

import logging
import sys

from lab.driver import Lab
from stacks.bmc.service import serving

logging.getLogger("werkzeug").setLevel(logging.ERROR)
with serving(Lab.named(sys.argv[1]), port=int(sys.argv[2]) if len(sys.argv) > 2 else 0) as url:
    print(url, flush=True)
    sys.stdin.read()
