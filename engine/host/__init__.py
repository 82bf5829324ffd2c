"""What the bundle runs on an engine's host around the engine: look at a slot, keep releases, issue tickets.

Standard library only: hosts have `python3 -I -S` and nothing else. The controller packs this room with
engine/ticket into one zipapp (deploys/artifact/program.py); it comes with every call over standard input, and
lies on the host for the ticket issuer's unit.
"""
