"""Signed inventories with real signatures: what is taken, what is refused, and that all readers agree."""

from __future__ import annotations

import base64
import json
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inventory.artifact import read_artifact
from inventory.enrolment import enrolment_path
from inventory.envelope import body_of
from inventory.errors import InventoryError, StateError
from inventory.generation import Used, last_used, record_path, use
from inventory.load import load_site
from inventory.model import Site
from inventory.sshsig import NAMESPACE
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.commands import Done, called, output
from tests.support.hft_here import hft_here
from tests.support.signed import Signers, edited, envelope, host, site_table

pytestmark = [pytest.mark.long, needs.programs("ssh-keygen")]
SEEDS = 4  # a file's mutants each, so that several processes share them
KINDS = {
    "bits": 90,
    "cuts": 18,
    "lines": 13,
    "splices": 8,
    "insertions": 13,
}  # 142 of each seed, 568 together


@pytest.fixture
def signers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signers:
    return Signers.in_folder(tmp_path, monkeypatch)


def refused(path: Path) -> str:
    """The one sentence with which the file is refused."""
    with pytest.raises(InventoryError) as caught:
        load_site(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    assert len(sentence) < 600
    return sentence


def test_a_signed_site_is_the_site_with_its_identities(signers: Signers) -> None:
    assert load_site(signers.write()) == Site.model_validate(site_table())


def test_anybody_can_verify_it_with_jq_and_ssh_keygen(signers: Signers) -> None:
    needs.skip_without("jq", "sh")
    path = signers.write()
    script = (
        'jq -r .signature "$1" >"$2/sig"; jq -jcS "del(.signature)" "$1" | '
        f'ssh-keygen -Y verify -f "$2/signers" -I rack -n {NAMESPACE} -s "$2/sig"'
    )
    assert "Good" in output("sh", "-c", script, "sh", path, signers.folder)


def test_content_that_was_changed_after_signing_is_refused(signers: Signers) -> None:
    path = signers.write()
    edited(path, {"site": site_table(hosts=[host(0, address="192.0.2.66")])})
    assert "changed after it was signed" in refused(path)


def test_a_key_that_may_not_sign_for_this_site_is_named(signers: Signers) -> None:
    path = signers.signed(body_of(envelope()), key=signers.stranger)
    said = refused(path)
    assert "who may not sign for site 'rack'" in said
    assert output("ssh-keygen", "-lf", f"{signers.stranger}.pub").split()[1] in said
    signers.allow(signers.key, sites="other-site")
    assert "who may not sign for site 'rack'" in refused(signers.write())
    signers.allow(signers.key, sites="*")
    assert load_site(signers.write()).name == "rack"


def test_a_key_that_is_listed_for_another_purpose_is_refused(signers: Signers) -> None:
    signers.allow(signers.key, namespace="hft-limits")
    assert "who may not sign for site 'rack'" in refused(signers.write())


def test_a_signature_made_for_another_purpose_is_refused(signers: Signers) -> None:
    path = signers.write()
    content = path.read_bytes()
    payload = signers.folder / "payload"
    payload.write_bytes(output("jq", "-jcS", "del(.signature)", path).encode())
    output("ssh-keygen", "-q", "-Y", "sign", "-f", signers.key, "-n", "hft-limits", payload)
    edited(path, {"signature": payload.with_name("payload.sig").read_text()})
    assert path.read_bytes() != content
    assert "was made for b'hft-limits', not for hft-inventory" in refused(path)


def test_without_a_list_of_signers_nothing_is_taken(signers: Signers) -> None:
    path = signers.write()
    signers.listed.unlink()
    assert f"{signers.listed}, which says who may sign, cannot be read" in refused(path)


@pytest.mark.parametrize("place", ["list", "folder"])
def test_a_list_of_signers_that_others_may_write_is_not_believed(signers: Signers, place: str) -> None:
    path = signers.write()
    open_to_others = signers.listed if place == "list" else signers.folder
    open_to_others.chmod(0o770)
    assert "others may write it" in refused(path)


def test_it_expires(signers: Signers) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=1, seconds=1)
    assert "expired on" in refused(signers.signed(body_of(envelope(now=long_ago))))
    assert last_used("rack") is None, "what was refused was not used"


def test_an_enrolment_beside_it_is_refused_whatever_it_says(signers: Signers) -> None:
    path = signers.write()
    enrolment_path(path).write_text('{"schema":1,"hosts":{}}')
    assert "would change them unsigned" in refused(path)


def test_a_duplicate_inside_a_good_signature_is_refused(signers: Signers) -> None:
    body = body_of(envelope()) | {"site": site_table(hosts=[host(0), host(1, address="192.0.2.1")])}
    assert "two hosts with the same address and port" in refused(signers.signed(body))


def test_an_older_generation_is_refused_after_a_newer_one_was_used(signers: Signers) -> None:
    old, new = signers.write(1, name="old"), signers.write(2, name="new")
    assert load_site(old) == load_site(new)
    assert "generation 1 is older than 2" in refused(old)
    assert load_site(new).name == "rack"


def test_two_of_one_generation_are_refused(signers: Signers) -> None:
    load_site(signers.write(3, name="one"))
    two = signers.write(3, name="two", hosts=[host(0)])
    assert "generation 3 was used here with other content" in refused(two)


def test_looking_at_it_keeps_nothing(signers: Signers) -> None:
    new, old = signers.write(2, name="new"), signers.write(1, name="old")
    read_artifact(new, new.read_bytes(), now=datetime.now(UTC), keep=False)
    assert not record_path("rack").exists()
    assert load_site(old).name == "rack"


def test_a_record_that_cannot_be_read_stops_every_use(signers: Signers) -> None:
    path = signers.write()
    load_site(path)
    record_path("rack").write_text("{")
    with pytest.raises(StateError, match="cannot be told"):
        load_site(path)


def test_the_name_decides_so_a_file_cannot_take_its_own_signature_off(signers: Signers) -> None:
    path = signers.write()
    path.write_text(json.dumps(site_table()))
    assert "not a signed inventory" in refused(path)
    plain = signers.write().rename(signers.folder / "plain.json")
    assert "has to end in .signed.json" in refused(plain)


def another_blob(signature: str, change: Callable[[bytes], bytes]) -> str:
    """The signature with its bytes changed, armored as ssh-keygen does it."""
    blob = change(base64.b64decode("".join(signature.split("\n")[1:-2])))
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + 70] for start in range(0, len(text), 70)]
    return "\n".join(("-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----", ""))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda blob: blob.replace(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\0"), id="version 0"),
        pytest.param(lambda blob: blob + b"\0", id="a byte behind it"),
        pytest.param(lambda blob: blob.replace(b"inventory\0\0\0\0", b"inventory\0\0\0\1x"), id="reserved"),
        pytest.param(lambda blob: blob.replace(b"sha512", b"sha256"), id="another digest"),
        pytest.param(lambda blob: blob[:-1], id="truncated"),
        pytest.param(lambda _: b"", id="empty"),
    ],
)
def test_a_signature_has_one_form(signers: Signers, change: Callable[[bytes], bytes]) -> None:
    path = signers.write()
    before = json.loads(path.read_text())["signature"]
    assert another_blob(before, lambda blob: blob) == before
    edited(path, {"signature": another_blob(before, change)})
    assert "signature" in refused(path)


def mutants(good: bytes, other: bytes, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """GOOD with one thing changed; OTHER is a good file of another generation, to splice with."""
    lines = good.splitlines(keepends=True)
    for _ in range(KINDS["bits"]):
        place, bit = rng.randrange(len(good)), rng.randrange(8)
        changed = bytes([good[place] ^ 1 << bit])
        yield f"bit {bit} of byte {place}", good[:place] + changed + good[place + 1 :]
    for _ in range(KINDS["cuts"]):
        end = rng.randrange(len(good))
        yield f"cut at {end}", good[:end]
    for _ in range(KINDS["lines"]):
        one = rng.randrange(len(lines))
        yield f"without line {one + 1}", b"".join(lines[:one] + lines[one + 1 :])
    for _ in range(KINDS["splices"]):
        end = rng.randrange(len(good))
        yield f"spliced at {end}", good[:end] + other[end:]
    for _ in range(KINDS["insertions"]):
        start = rng.randrange(len(good))
        yield f"bytes inserted at {start}", good[:start] + rng.randbytes(rng.randint(1, 8)) + good[start:]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_mutant_is_accepted(signers: Signers, seed: int) -> None:
    rng = random.Random(seed)
    signer, body = signers.write(8), body_of(envelope(8))
    good, other = signer.read_bytes(), signers.write(9, name="other", hosts=[host(0)]).read_bytes()
    load_site(signer)
    tried, accepted = 0, []
    for what, data in mutants(good, other, rng):
        if data in (good, other):
            continue
        signer.write_bytes(data)
        tried += 1
        accepted += [what] if was_taken(signer) else []
    for generation in (1, 7):
        tried += 1
        accepted += [f"generation {generation}"] if was_taken(signers.write(generation, name="old")) else []
    tried += 1
    accepted += ["another key"] if was_taken(signers.signed(body, key=signers.stranger)) else []
    assert tried > 0.95 * sum(KINDS.values())
    assert not accepted
    signer.write_bytes(good)
    assert was_taken(signer), "the original is still taken"


def was_taken(path: Path) -> bool:
    try:
        load_site(path)
    except InventoryError:
        return False
    return True


def use_upwards(seed: int, answers: multiprocessing.Queue[tuple[float, float, int]]) -> None:
    """Use generations around a rising number; what was taken goes into the queue with its time."""
    rng = random.Random(seed)
    for step in range(150):
        generation = 1 + step + rng.randrange(8)
        begun = time.monotonic()
        with suppress(InventoryError):
            use("rack", Used(generation=generation, sha256=f"{generation:064x}"))
            answers.put((begun, time.monotonic(), generation))
    answers.put((0.0, 0.0, 0))


def test_processes_at_once_never_go_back(signers: Signers) -> None:
    answers: multiprocessing.Queue[tuple[float, float, int]] = multiprocessing.Queue()
    workers = [multiprocessing.Process(target=use_upwards, args=(seed, answers)) for seed in range(4)]
    for worker in workers:
        worker.start()
    taken, ended = [], 0
    while ended < len(workers):
        one = answers.get(timeout=60)
        taken.append(one)
        ended += one[2] == 0
    for worker in workers:
        worker.join()
    taken = sorted(one for one in taken if one[2])
    assert len({generation for _, _, generation in taken}) > 20, "they were at it together"
    back = [
        (later, earlier)
        for later in taken
        for earlier in taken
        if earlier[1] < later[0] and earlier[2] > later[2]
    ]
    assert not back, "a generation was taken after a newer one had been"
    used = last_used("rack")
    assert used is not None
    assert used.generation == max(generation for _, _, generation in taken)


def pyinfra(path: Path) -> Done:
    """What pyinfra's own command line says of the inventory that HFT_INVENTORY names."""
    program = Path(sys.executable).parent / "pyinfra"
    words = (ROOT / "inventory" / "chosen.py", "debug-inventory", "--json")
    return called("env", f"HFT_INVENTORY={path}", program, *words)


def test_every_reader_sees_the_same_hosts(signers: Signers, capsys: pytest.CaptureFixture[str]) -> None:
    path = signers.write()
    names = {one.name for one in load_site(path).hosts}
    said = pyinfra(path)
    assert said.returncode == 0, said.stderr
    assert {one["data"]["hft_host"]["name"] for one in json.loads(said.stdout)} == names
    listed = hft_here(capsys, "host", "list", "--inventory", path, "--json")
    assert {one["name"] for one in json.loads(listed.out)["hosts"]} == names
    folder = signers.folder / "run" / "inventory"
    assert hft_here(capsys, "inventory", "ansible", "--inventory", path, "--to", folder).code == 0
    ansible = Path(sys.executable).parent / "ansible-inventory"
    seen = json.loads(output(ansible, "-i", folder / "hosts.json", "--list"))["_meta"]["hostvars"]
    assert seen.keys() == names
    assert {name: one["ansible_host"] for name, one in seen.items()} == {
        one.name: one.address for one in load_site(path).hosts
    }


def test_stock_pyinfra_refuses_with_the_sentence_and_no_traceback(signers: Signers) -> None:
    path = signers.write()
    edited(path, {"generation": 2})
    said = pyinfra(path)
    assert said.returncode != 0
    assert f"hft: {path}: the signature is not over what is in it" in said.stderr
    assert "Traceback" not in said.stdout + said.stderr


def test_stock_pyinfra_takes_the_inventory_that_a_folder_chooses(signers: Signers) -> None:
    path = signers.write()
    (signers.folder / "hft.toml").write_text(f'inventory = "{path.name}"\n')
    program = Path(sys.executable).parent / "pyinfra"
    words = (
        "-C",
        signers.folder,
        "-u",
        "HFT_INVENTORY",
        "-u",
        "HFT_LAB",
        program,
        ROOT / "inventory" / "chosen.py",
    )
    said = called("env", *words, "debug-inventory", "--json")
    assert said.returncode == 0, said.stderr
    assert {one["data"]["hft_host"]["name"] for one in json.loads(said.stdout)} == {
        one.name for one in load_site(path).hosts
    }
