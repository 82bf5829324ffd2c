"""ON HOST: the stdlib-only program on every host: journaled transactions, trial boot, IRQ service."""
