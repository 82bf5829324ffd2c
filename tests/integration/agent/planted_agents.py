"""Agents with one mistake each, made from the real one's source: a harness must catch every one of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

RENAME = "os.rename(self.new_name, name, src_dir_fd=directory, dst_dir_fd=directory)"
# name -> (file, what is there, what is put in its place)
MISTAKES: dict[str, tuple[str, str, str]] = {
    "no fsync of files": (
        "agent/durable.py",
        "os.fchmod(fd, mode)  # after open(2), whose mode the umask reduces\n        os.fsync(fd)",
        "os.fchmod(fd, mode)",
    ),
    "no fsync of directories": (
        "agent/transaction/step_file.py",
        f"{RENAME}\n            os.fsync(directory)",
        RENAME,
    ),
    "done is not durable": (
        "agent/transaction/journal.py",
        "            if sync:\n                os.fsync(fd)",
        "            pass",
    ),
    "write in place": (
        "agent/transaction/step_file.py",
        f"{RENAME}\n            os.fsync(directory)",
        "fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, self.step.mode, dir_fd=directory)\n"
        "                half = len(self.step.content) // 2\n"
        "                os.write(fd, self.step.content[:half])\n"
        "                os.write(fd, self.step.content[half:])\n"
        "                os.fsync(fd)\n"
        "                os.close(fd)\n"
        "            os.fsync(directory)",
    ),
    "no recovery": (
        "agent/transaction/recovery.py",
        "    result = give_up(journal, actors, cut)",
        '    journal.record("reverted")\n'
        '    result = Outcome(txn=txn, result="reverted", code="interrupted", message=str(cut))',
    ),
}


def plant(agent: Path, mistake: str, directory: Path) -> Path:
    """Unpack the zipapp and make one mistake in it; a directory with `__main__.py` runs like a zipapp."""
    with zipfile.ZipFile(agent) as archive:
        archive.extractall(directory)
    for compiled in directory.rglob("*.pyc"):
        compiled.unlink()
    file, there, instead = MISTAKES[mistake]
    source = (directory / file).read_text()
    assert there in source, f"{mistake}: {file} does not hold what is to be replaced"
    (directory / file).write_text(source.replace(there, instead))
    return directory
