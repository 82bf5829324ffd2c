"""The engine for pyinfra's own command line; `hft engine deploy` is the same with lock, waves and record.

    pyinfra inventory/lab.py deploys/engine.py --limit engine-1 --data artifact=build/my-engine
        --data limits=limits.json --data config=trade.json [--data signers=FILE] [--data slot=a]
        [--data drain=yes] [--dry]

pyinfra executes this file once for each host, so it holds one call.
"""

from deploys.pyinfra.operations.engines import engine_deploy

engine_deploy()
