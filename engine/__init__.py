"""PAYLOAD: what the bundle deploys: the engine contract and its suite, the engines, gateway and venue."""
