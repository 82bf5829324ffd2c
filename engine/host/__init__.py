"""What the bundle runs on an engine's host: inspecting slots, storing releases, issuing tickets.

Standard library only: hosts have `python3 -I -S` and nothing else. The controller packs this package with
engine/ticket into one zipapp (deploys/slot/program.py); it is sent with every call over standard input,
and installed on the host for the ticket issuer's unit.
"""
