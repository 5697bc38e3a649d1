"""The file of hashes is of the very packages that the lock file names."""

import re

from tests.conftest import PROJECT


def pins(name: str) -> dict[str, str]:
    lines = (PROJECT / name).read_text().splitlines()
    found = [re.match(r"([\w.-]+)==([^\s;]+)", line) for line in lines]
    return {m[1].lower().replace("_", "-"): m[2] for m in found if m}


def test_each_pinned_package_has_hashes_of_that_version():
    locked, hashed = pins("requirements.lock"), pins("requirements.hashes.txt")
    other = {n: (v, hashed.get(n)) for n, v in locked.items() if hashed.get(n) != v}
    assert not other, "write requirements.hashes.txt again, as CONTRIBUTING.md says"
    text = (PROJECT / "requirements.hashes.txt").read_text()
    blocks = re.split(r"(?m)^(?=\S)", text)[1:]
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
