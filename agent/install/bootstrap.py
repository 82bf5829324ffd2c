"""The first call to a host: the zipapp arrives over standard input, in one round trip; only Python is needed.

The program below is all that runs before the agent's own code: it verifies that the whole zipapp arrived,
writes it to a temporary file, syncs it, and hands over to agent/install/install.py inside it. Interrupted
anywhere, it leaves the old agent in place and intact. It comes over standard input, too, behind a line with
its length; only BEGIN is an argument, so no login shell has to carry it.
"""

from __future__ import annotations

BEGIN = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
PROGRAM = """\
import hashlib, json, os, sys
root, digest = sys.argv[1:3]
data = sys.stdin.buffer.read()
if hashlib.sha256(data).hexdigest() != digest:
    message = "the agent arrived truncated; nothing was changed"
    print(json.dumps({"schema": 1, "result": "refused", "code": "truncated", "message": message}))
    sys.exit(2)
place = root.rstrip("/")
staged = ".agent.pyz.hft-%d" % os.getpid()
try:
    for name in ("usr", "local", "lib", "hft"):
        above, place = place or "/", place + "/" + name
        if os.path.lexists(place) and not os.path.isdir(place):
            raise NotADirectoryError(20, "it has to be a folder; move it away, then apply again", place)
        if not os.path.isdir(place):
            os.mkdir(place, 0o755)
            fd = os.open(above, os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)
    for name in os.listdir(place):
        if name.startswith(".agent.pyz.hft-"):
            os.unlink(place + "/" + name)
    fd = os.open(place + "/" + staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
    with os.fdopen(fd, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fchmod(fd, 0o755)
        os.fsync(fd)
except OSError as error:
    message = "the agent was not installed: %s: %s" % (error.filename or place, error.strerror)
    print(json.dumps({"schema": 1, "result": "refused", "code": "preflight", "message": message}))
    sys.exit(2)
sys.path.insert(0, place + "/" + staged)
from agent.host import HostRoot
from agent.install.install import install
answer = install(HostRoot(root=root), staged)
print(json.dumps(answer))
sys.exit(0 if answer["result"] == "installed" else 8 if answer["code"] == "busy" else 2)
"""
# The same zipapp for one verb that only looks, imported from memory: the host keeps nothing of it.
IN_MEMORY = """\
import hashlib, importlib.abc, importlib.util, io, marshal, sys, zipfile
root, digest, size, verb = sys.argv[1:5]
data = sys.stdin.buffer.read(int(size))
if hashlib.sha256(data).hexdigest() != digest:
    sys.exit("the agent arrived truncated; nothing was changed")
packed = zipfile.ZipFile(io.BytesIO(data))
names = frozenset(packed.namelist())
def place(name):
    stem = name.replace(".", "/")
    return next((one for one in (stem + "/__init__.py", stem + ".py") if one in names), None)
class Packed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self, origin=place(name)) if place(name) else None
    def is_package(self, name):
        return place(name).endswith("/__init__.py")
    def get_source(self, name):
        return packed.read(place(name)).decode()
    def get_code(self, name):
        made = packed.read(place(name) + "c")
        if made[:4] == importlib.util.MAGIC_NUMBER:
            return marshal.loads(made[16:])
        return compile(self.get_source(name), place(name), "exec", dont_inherit=True)
sys.meta_path.insert(0, Packed())
from agent.__main__ import main
sys.exit(main(["--root", root, verb]))
"""
