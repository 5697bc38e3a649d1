"""The two lock files pin all that `pyproject.toml` names, and the same of it."""

import re
import tomllib

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
LOCK = tomllib.loads((PROJECT / "uv.lock").read_text())
AGAIN = "write the lock files again, as CONTRIBUTING.md says"


def required():
    """Each requirement of the project, with and without extras."""
    own = PYPROJECT["project"]
    extras = [line for lines in own["optional-dependencies"].values() for line in lines]
    every = map(Requirement, [*own["dependencies"], *extras])
    return [one for one in every if one.name != own["name"]]


def pinned():
    """The versions of each package in `requirements.lock`; markers choose one."""
    lines = (PROJECT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"==[^,*]+", str(pin.specifier)) for pin in pins)
    by_name = {}
    for pin in pins:
        by_name.setdefault(canonicalize_name(pin.name), set()).add(str(pin.specifier)[2:])
    return by_name


def test_both_lock_files_pin_the_same_packages():
    locked = {}
    for package in LOCK["package"]:
        if "version" in package and "registry" in package["source"]:
            locked.setdefault(package["name"], set()).add(package["version"])
    assert pinned() == locked, AGAIN


def test_each_requirement_is_pinned_to_versions_that_it_allows():
    versions = pinned()
    for one in required():
        found = versions.get(canonicalize_name(one.name), set())
        assert found, f"{one.name}: {AGAIN}"
        assert all(one.specifier.contains(v) for v in found), f"{one}, {found}: {AGAIN}"


def test_the_lock_is_of_the_present_requirements():
    own = next(p for p in LOCK["package"] if p["name"] == PYPROJECT["project"]["name"])
    at_lock = {(r["name"], r.get("specifier", "")) for r in own["metadata"]["requires-dist"]}
    now = {(canonicalize_name(r.name), r.specifier) for r in required()}
    names = {name for name, _ in now}
    specifiers = {(n, frozenset(map(str, Requirement(n + s).specifier))) for n, s in at_lock}
    assert {(n, s) for n, s in specifiers if n in names} == {
        (n, frozenset(map(str, s))) for n, s in now
    }, AGAIN


def test_each_locked_file_has_a_hash_and_comes_from_the_public_index():
    files = [f for p in LOCK["package"] for f in [*p.get("wheels", []), p.get("sdist")] if f]
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]) for file in files)
    assert {file["url"].split("/")[2] for file in files} == {"files.pythonhosted.org"}
    sources = {p["source"].get("registry") for p in LOCK["package"]} - {None}
    assert sources == {"https://pypi.org/simple"}


def test_the_lock_is_for_the_platforms_and_versions_of_the_classifiers():
    markers = [Marker(text) for text in LOCK["supported-markers"]]

    def supported(python, system, machine):
        place = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
        place |= {"sys_platform": system, "platform_machine": machine}
        return any(marker.evaluate(place) for marker in markers)

    named = [c.rpartition(" ")[2] for c in PYPROJECT["project"]["classifiers"] if "Python" in c]
    for version in named:
        for place in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")):
            assert supported(f"{version}.9", *place)
        assert not supported(f"{version}.9", "win32", "AMD64")
