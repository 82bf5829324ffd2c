"""DECIDE: snapshot -> topology -> plan -> diff. Pure, standard library only, no I/O."""
