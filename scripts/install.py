"""Install lock files beside the Python that runs this, every package checked by its hash.

uv does it, in seconds; it is one of the locked packages, and `pip` gets it. Where uv cannot be had
or fails, pip installs everything.

    .venv/bin/python scripts/install.py requirements.lock -- pip command...

The command is one that runs pip for this environment: `python -m pip`, or another Python's with
`--python`. uv does not read pip's configuration, so it is told here which index, certificates and
proxy pip would use.
"""

from __future__ import annotations

import ast
import contextlib
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TRUE = ("1", "true", "yes", "y", "t", "on")
TELL_EVERY_S = 10.0
LOCKED = ("--quiet", "--require-hashes", "--no-deps")


def settings(listing: str) -> dict[str, str]:
    """Read what `pip config list` prints: the values that `pip install` would take.

    Their names are those of pip's variables, without its name: `NO_INDEX` for `no-index`.
    The environment (`:env:`) goes before a command's own section, and that before `global`.
    """
    read: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        key, equals, value = line.partition("=")
        section, dot, option = key.rpartition(".")
        if equals and dot and section in read:
            read[section][option.upper().replace("-", "_")] = str(ast.literal_eval(value))
    return {**read["global"], **read["install"], **read[":env:"]}


def environment(pip: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Turn pip's settings into uv's variables; what `own` says to uv itself stays."""
    uv = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    general = {}
    for option, variable, separator in (
        ("INDEX_URL", "UV_DEFAULT_INDEX", " "),
        ("EXTRA_INDEX_URL", "UV_INDEX", " "),
        ("FIND_LINKS", "UV_FIND_LINKS", ","),
        ("TRUSTED_HOST", "UV_INSECURE_HOST", " "),
        ("DEFAULT_TIMEOUT", "UV_HTTP_TIMEOUT", " "),
        ("TIMEOUT", "UV_HTTP_TIMEOUT", " "),
        ("RETRIES", "UV_HTTP_RETRIES", " "),
    ):
        if values := pip.get(option, "").split():
            uv[variable] = separator.join(values)
    # pip takes the best of all indexes, not the first that knows the name. The hashes decide.
    uv["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if pip.get("NO_CACHE_DIR", "").lower() in TRUE:
        uv["UV_NO_CACHE"] = "1"
    if pip.get("KEYRING_PROVIDER") in ("import", "subprocess"):
        uv["UV_KEYRING_PROVIDER"] = "subprocess"
    bundle = own.get("REQUESTS_CA_BUNDLE") or own.get("CURL_CA_BUNDLE")
    if certificates := pip.get("CERT") or bundle:
        general["SSL_CERT_FILE"] = certificates
    if certificate := pip.get("CLIENT_CERT"):
        general["SSL_CLIENT_CERT"] = certificate
    if proxy := pip.get("PROXY"):
        general |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    return {**uv, **own, **general}


def options(pip: Mapping[str, str]) -> list[str]:
    """Turn pip's settings that uv has no variable for into its options."""
    given = ["--no-index"] if pip.get("NO_INDEX", "").lower() in TRUE else []
    for option, name in (("NO_BINARY", "--no-binary"), ("ONLY_BINARY", "--only-binary")):
        for value in pip.get(option, "").replace(",", " ").split():
            given += [name, value]
    return given


def excerpt(lock: str, package: str) -> str:
    """Return the lines of a lock file that pin one package."""
    lines = lock.splitlines(keepends=True)
    start = next(at for at, line in enumerate(lines) if line.startswith(f"{package}=="))
    end = next(at for at in range(start, len(lines)) if not lines[at].endswith("\\\n"))
    return "".join(lines[start : end + 1])


def patiently(what: str, argv: Sequence[str], **options: Any) -> None:
    """Run a command as `subprocess.run` does with `check`, and say every 10 s that it goes on."""
    began = time.monotonic()
    with subprocess.Popen(argv, **options) as command:
        while True:
            try:
                status = command.wait(TELL_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                sys.stderr.write(f"setup: {what}, {time.monotonic() - began:.0f} s so far\n")
    if status:
        raise subprocess.CalledProcessError(status, argv)


def get_uv(pip: Sequence[str], lock: Path) -> Path:
    """Return uv's path in this environment, after installing the locked version of it."""
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "uv.lock"
        pinned.write_text(excerpt(lock.read_text(encoding="utf-8"), "uv"), encoding="utf-8")
        patiently("installing uv", [*pip, "install", *LOCKED, "-r", str(pinned)])
    return Path(sysconfig.get_path("scripts")) / "uv"


def compile_packages() -> None:
    """Write the bytecode of all but tests: where it may not be written later, each start pays."""
    folder = sysconfig.get_path("purelib")
    compiled = [sys.executable, "-m", "compileall", "-qq", "-j", "0", folder]
    skipped = r"/(tests?|pip|pygments/lexers)/"
    with contextlib.suppress(subprocess.CalledProcessError):
        patiently("compiling", [*compiled, "-x", skipped])


def main(locks: Sequence[str], pip: Sequence[str]) -> None:
    """Install lock files, then this project for changes in place."""
    files = [word for lock in locks for word in ("-r", lock)]
    project = ["--quiet", "--no-deps", "--no-build-isolation", "--editable", "."]
    try:
        uv = get_uv(pip, Path(locks[0]))
        listing = subprocess.run([*pip, "config", "list"], check=True, capture_output=True)
        configured = settings(listing.stdout.decode())
        install = [str(uv), "pip", "install", "--python", sys.executable, *options(configured)]
        env = environment(configured, os.environ)
        patiently("installing packages", [*install, *LOCKED, *files], env=env)
        patiently("installing packages", [*install, *project], env=env)
        compile_packages()
    except (OSError, subprocess.CalledProcessError):
        sys.stderr.write("setup: uv could not do it, so pip does\n")
        patiently("installing packages", [*pip, "install", *LOCKED, *files])
        patiently("installing packages", [*pip, "install", *project])


if __name__ == "__main__":
    split = sys.argv.index("--")
    try:
        main(sys.argv[1:split], sys.argv[split + 1 :])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
