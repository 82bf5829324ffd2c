"""`python -m hft`: the same as the console script, for callers that know only the interpreter."""

from hft.cli import main

main()
