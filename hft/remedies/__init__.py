"""Remedies: what fires is read, decided on (monitoring/remedy.py), done, verified, recorded, paged."""
