"""Runs the tests of the Django backend with each version of Django that an interpreter at hand can run: `make django`.

The package has to be built: its extension is the same for every interpreter (abi3).
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent

#: The version, and interpreters that can run it.
VERSIONS = (
    ("4.2.30", ("3.9", "3.10", "3.11", "3.12")),
    ("5.0.14", ("3.10", "3.11", "3.12")),
    ("5.1.15", ("3.10", "3.11", "3.12", "3.13")),
    ("5.2.19", ("3.10", "3.11", "3.12", "3.13")),
    ("6.0.10", ("3.12", "3.13", "3.14")),
    ("6.1.3", ("3.12", "3.13", "3.14")),
)
WITH = ("pytest==8.4.2", "cryptography==50.0.2")


def interpreter(version: str) -> "str | None":
    """The interpreter of this version, if it runs here."""
    pyenv = sorted(pathlib.Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    found = str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")
    if found is None or subprocess.run([found, "--version"], capture_output=True).returncode != 0:
        return None
    return found


def run(django: str, python: str) -> bool:
    """The tests, in an environment of their own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        inside = os.path.join(folder, "bin", "python")
        install = [inside, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"django=={django}", *WITH]
        subprocess.run(install, check=True)
        environment = {**os.environ, "PYTHONPATH": str(HERE / "python"), "DJANGO": ".".join(django.split(".")[:2])}
        tests = [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--noconftest", str(HERE / "tests" / "test_django.py")]
        return subprocess.run(tests, env=environment).returncode == 0


def main() -> int:
    """Runs each version with the newest interpreter that can; fails if one fails, or has none."""
    failed = []
    for django, pythons in VERSIONS:
        found = next(filter(None, map(interpreter, reversed(pythons))), None)
        print(f"Django {django}: {found or 'no interpreter'}", flush=True)
        if found is None or not run(django, found):
            failed.append(django)
    print(f"failed: {', '.join(failed)}" if failed else "all versions pass")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
