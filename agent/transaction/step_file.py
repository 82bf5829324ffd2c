"""A file, replaced by one rename, and restored by one rename.

Before the first change the new content is beside the target (`.NAME.hft-INDEX-new`, synced) and the old
inode has a second name there (`.NAME.hft-INDEX-old`, a hard link). So neither doing nor undoing needs disk
space, and the old file returns with its inode, owner and times. Without hard links a copy is made. The names
begin with a dot and have no suffix that sysctl.d, systemd, udev or grub-mkconfig would read.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import Any

from agent import durable, obstacles
from agent.document import FileStep
from agent.errors import RefusedError, StepFailedError
from agent.host import HostRoot
from agent.paths import NOT_TEXT
from agent.transaction.step_handler import Before, Plainly

FILE_BYTES_MAX = 16 << 20


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def is_text(data: bytes) -> bool:
    """Whether these bytes are UTF-8, so that a controller can say what it saw."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class FileActor(Plainly):
    """Replaces, creates or deletes one file."""

    host: HostRoot
    step: FileStep
    index: int
    kind: str = "file"

    @property
    def target(self) -> str:
        return self.step.path

    @property
    def new_name(self) -> str:
        return f".{durable.split(self.step.path)[1]}.hft-{self.index}-new"

    @property
    def old_name(self) -> str:
        return f".{durable.split(self.step.path)[1]}.hft-{self.index}-old"

    def observe(self) -> Before:
        """Content, mode and owner of the file now, and which of its directories do not exist yet."""
        obstacles.check(self.host, files=(self.step.path,))
        found = durable.read_regular(self.host, self.step.path, FILE_BYTES_MAX)
        missing = self.missing_dirs()
        if found is None:
            self.compare_and_swap("absent", b"", wanted=self.step.content is None)
            return Before(wanted=self.step.content is None, image={"present": False, "missing_dirs": missing})
        data, status = found
        mode = stat.S_IMODE(status.st_mode)
        wanted = data == self.step.content and mode == self.step.mode
        self.compare_and_swap(digest(data), data, wanted=wanted)
        image = {
            "present": True,
            "sha256": digest(data),
            "mode": mode,
            "uid": status.st_uid,
            "gid": status.st_gid,
        }
        return Before(wanted=wanted, image=image | {"missing_dirs": missing}, content=data)

    def compare_and_swap(self, seen: str, data: bytes, *, wanted: bool) -> None:
        """Refuse when the file is neither what the controller saw nor what it wants."""
        if self.step.before == NOT_TEXT and seen != "absent" and not is_text(data):
            return
        if self.step.before is not None and not wanted and seen != self.step.before:
            raise RefusedError("stale", f"{self.step.path} changed after the plan was made; plan again")

    def missing_dirs(self) -> list[str]:
        """The parents that do not exist, outermost first."""
        parents = durable.split(self.step.path)[0].split("/")[1:]
        paths = ["/" + "/".join(parents[: depth + 1]) for depth in range(len(parents))]
        return [path for path in paths if not os.path.lexists(self.host.path(path))]

    def prepare(self, before: Before) -> None:
        """Write the new file, and a second name of the old one, beside the target."""
        parent, name = durable.split(self.step.path)
        if before.image["missing_dirs"]:
            durable.make_dirs(self.host, parent)
        with durable.open_dir(self.host, parent) as directory:
            durable.unlink_if_there(directory, self.new_name)
            durable.unlink_if_there(directory, self.old_name)
            if self.step.content is not None:
                durable.write_new(directory, self.new_name, self.step.content, self.step.mode)
            if before.content is not None:
                self.keep_old(directory, name, before)
            os.fsync(directory)

    def keep_old(self, directory: int, name: str, before: Before) -> None:
        """A second name for the old inode; a copy where the file system has no hard links."""
        try:
            os.link(name, self.old_name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        except PermissionError:  # what link(2) returns on vfat
            self.write_old(directory, before.content or b"", before.image)

    def write_old(self, directory: int, content: bytes, image: Any) -> None:
        """Rebuild the old file from its content, beside the target."""
        durable.unlink_if_there(directory, self.old_name)
        durable.write_new(directory, self.old_name, content, image["mode"])
        os.chown(self.old_name, image["uid"], image["gid"], dir_fd=directory, follow_symlinks=False)

    def act(self) -> str:
        """One rename, or one unlink; durable when this returns."""
        parent, name = durable.split(self.step.path)
        with durable.open_dir(self.host, parent) as directory:
            if self.step.content is None:
                durable.unlink_if_there(directory, name)
            else:
                os.rename(self.new_name, name, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
        return ""

    def undo(self, before: Before) -> str:
        """Restore the old file, or its absence, exactly; also after half of prepare."""
        parent, name = durable.split(self.step.path)
        note = ""
        try:
            with durable.open_dir(self.host, parent) as directory:
                durable.unlink_if_there(directory, self.new_name)
                if before.image["present"]:
                    self.bring_back(directory, name, before)
                else:
                    note = self.take_away(directory, name)
                os.fsync(directory)
        except FileNotFoundError:
            pass  # a directory that prepare had not made yet; those above it may be there
        self.remove_dirs(before)
        return note

    def bring_back(self, directory: int, name: str, before: Before) -> None:
        """Rename the kept name over the target, and verify that the target is the old file."""
        if self.is_same_file(directory, name):
            durable.unlink_if_there(
                directory, self.old_name
            )  # rename(2) between two names of one inode does nothing
        elif self.exists(directory, self.old_name):
            os.rename(self.old_name, name, src_dir_fd=directory, dst_dir_fd=directory)
        if self.shows(before):
            return
        if before.content is None:
            raise StepFailedError(
                "undo_failed", f"{self.step.path} cannot be restored: its content is missing from the journal"
            )
        self.write_old(directory, before.content, before.image)
        os.rename(self.old_name, name, src_dir_fd=directory, dst_dir_fd=directory)

    def take_away(self, directory: int, name: str) -> str:
        """Remove the file this step created; a file that was written since stays."""
        found = durable.read_regular(self.host, self.step.path, FILE_BYTES_MAX)
        if found is not None and found[0] != self.step.content:
            return "left in place: it was modified since"
        durable.unlink_if_there(directory, name)
        return ""

    def exists(self, directory: int, name: str) -> bool:
        return self.inode(directory, name) is not None

    def is_same_file(self, directory: int, name: str) -> bool:
        """Whether target and kept name are the same inode: the step was not done."""
        kept = self.inode(directory, self.old_name)
        return kept is not None and kept == self.inode(directory, name)

    def inode(self, directory: int, name: str) -> int | None:
        try:
            return os.stat(name, dir_fd=directory, follow_symlinks=False).st_ino
        except FileNotFoundError:
            return None

    def shows(self, before: Before) -> bool:
        """Whether the target has the old content and mode."""
        found = durable.read_regular(self.host, self.step.path, FILE_BYTES_MAX)
        if found is None:
            return False
        image = before.image
        return bool(digest(found[0]) == image["sha256"]) and stat.S_IMODE(found[1].st_mode) == image["mode"]

    def remove_dirs(self, before: Before) -> None:
        """Remove the directories that prepare made, as long as they are empty."""
        for path in reversed(before.image["missing_dirs"]):
            parent, name = durable.split(path)
            try:
                with durable.open_dir(self.host, parent) as directory:
                    os.rmdir(name, dir_fd=directory)
                    os.fsync(directory)
            except FileNotFoundError:
                continue  # not made yet
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                return  # it still holds another step's file; that step removes the directory later

    def tidy(self) -> None:
        """Remove both names beside the target."""
        try:
            with durable.open_dir(self.host, durable.split(self.step.path)[0]) as directory:
                durable.unlink_if_there(directory, self.new_name)
                durable.unlink_if_there(directory, self.old_name)
        except FileNotFoundError:
            return
