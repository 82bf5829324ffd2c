"""The thin front for pyinfra: its connector, its one fact, its operations. Nothing here decides."""
