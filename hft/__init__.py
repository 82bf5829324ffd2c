"""The hall: the command line that joins the rooms, with progress, run records, locks and exit codes."""
