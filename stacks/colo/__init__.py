"""Bare metal over Redfish: a blank machine gets the house's image, an enrolled one is adopted (README.md)."""
