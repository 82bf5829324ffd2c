"""The alien engine: a complete engine of level `trading` in plain Python, written against the contract's
page.

It shares no line with the contract's own code, with the conformance suite or with the C++ engine, and it runs
with `python3 -I -S`: standard library only. It is slow and small on purpose; what it proves is that the
contract can be kept by a stranger, and, with `--mutant CLAUSE`, that the suite notices each clause being
broken.
"""
