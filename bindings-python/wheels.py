#!/usr/bin/env python3
"""Builds the wheel and the sdist, installs each into clean environments, and sends a message there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OUT = ROOT / "target" / "wheels"
PROGRAM = os.environ.get("OKURU_PROGRAM", str(ROOT / "target" / "debug" / "okuru"))

#: Run in the clean environment. It must not find the package beside this file.
SENDS = """
import sys, okuru
outcome = okuru.send(b"Subject: wheels\\r\\n\\r\\nHello\\r\\n", server=sys.argv[1], tls="none",
                     sender="ann@example.com", recipients="bob@example.org")
assert outcome.raise_for_state().state == "accepted"
print(f"Python {sys.version.split()[0]}, okuru {okuru.__version__} from {okuru.__file__}: {outcome}")
"""


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    maturin = [str(Path(sys.executable).with_name("maturin"))]
    built = ["build", "--release", "--locked", "--zig", "--compatibility", "manylinux_2_17", "--out", str(OUT)]
    run(maturin + built)
    run([*maturin, "sdist", "--out", str(OUT)])
    (wheel,), (sdist,) = OUT.glob("*.whl"), OUT.glob("*.tar.gz")
    assert "abi3" in wheel.name and "manylinux" in wheel.name, wheel.name
    pythons = interpreters()
    for python in pythons:
        send_with(python, wheel)
    send_with(pythons[0], sdist)


def interpreters() -> list[str]:
    """Every CPython at hand from 3.9 on, each version once, the running one first."""
    found = {f"python3.{sys.version_info[1]}": sys.executable}
    for minor in range(9, 20):
        known = [shutil.which(f"python3.{minor}"), *Path.home().glob(f".pyenv/versions/*/bin/python3.{minor}")]
        for path in map(str, filter(None, known)):
            if subprocess.run([path, "-c", "import venv, ssl"], capture_output=True).returncode == 0:
                found.setdefault(f"python3.{minor}", path)
    return list(found.values())


def send_with(python: str, package: Path) -> None:
    """Installs a package into an environment with nothing else, and sends a message."""
    with tempfile.TemporaryDirectory() as folder:
        run([python, "-m", "venv", folder])
        installed = [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*installed, str(package)])
        command = [PROGRAM, "sink", "--listen", "127.0.0.1:0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as sink:
            assert sink.stderr is not None
            (url, *_) = json.loads(sink.stderr.readline())["urls"]
            try:
                run([f"{folder}/bin/python", "-c", SENDS, url], cwd=folder)
            finally:
                sink.terminate()


def run(command: list[str], cwd: object = HERE) -> None:
    # maturin looks for zig where its own Python is.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(command, check=True, cwd=str(cwd), env={**os.environ, "PATH": path})


if __name__ == "__main__":
    main()
