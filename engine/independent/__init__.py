"""The independent engine: a complete engine of level `trading` in plain Python, written from the contract's
page alone.

It shares no code with the contract package, the conformance suite or the C++ engine, and it runs with
`python3 -I -S`: standard library only. It is deliberately slow and small; it proves that a third party can
keep the contract, and, with `--mutant CLAUSE`, that the suite notices each broken clause.
"""
