"""What keeps a host's time, for pyinfra's own command line; `hft clock apply` adds lock, waves and record.

    pyinfra inventory/lab.py deploys/time.py --limit engine-1 [--dry]

pyinfra executes this file once for each host, so it holds one call.
"""

from deploys.pyinfra.operations.clocks import clock_deploy

clock_deploy()
