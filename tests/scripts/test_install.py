"""`scripts/install.py`: uv is told what pip is configured with, and checks the hashes it would."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("install", ROOT / "scripts" / "install.py")
assert SPEC
assert SPEC.loader
install = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(install)


def listing(section: str, **options: str) -> str:
    """Return lines as `pip config list` prints them."""
    return "".join(
        f"{section}.{name.lower().replace('_', '-')}={value!r}\n" for name, value in options.items()
    )


LISTING = (
    listing("global", INDEX_URL="http://127.0.0.1:1/global", TIMEOUT="60")
    + listing("install", INDEX_URL="http://127.0.0.1:1/install")
    + listing("download", INDEX_URL="http://127.0.0.1:1/download")
    + listing("global", EXTRA_INDEX_URL="\nhttp://127.0.0.1:1/a\nhttp://127.0.0.1:1/b")
    + listing(":env:", TIMEOUT="180", FIND_LINKS="/wheels /more")
)


def test_the_environment_goes_before_the_command_and_that_before_all() -> None:
    assert install.settings(LISTING) == {
        "INDEX_URL": "http://127.0.0.1:1/install",
        "EXTRA_INDEX_URL": "\nhttp://127.0.0.1:1/a\nhttp://127.0.0.1:1/b",
        "FIND_LINKS": "/wheels /more",
        "TIMEOUT": "180",
    }
    assert install.settings("") == {}


def test_uv_takes_what_it_needs_from_where_pip_would() -> None:
    env = install.environment(install.settings(LISTING), {"PATH": "/bin"})
    assert env["PATH"] == "/bin"
    assert env["UV_DEFAULT_INDEX"] == "http://127.0.0.1:1/install"
    assert env["UV_INDEX"] == "http://127.0.0.1:1/a http://127.0.0.1:1/b"
    assert env["UV_FIND_LINKS"] == "/wheels,/more"
    assert env["UV_HTTP_TIMEOUT"] == "180"
    assert env["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert "SSL_CERT_FILE" not in env


@pytest.mark.parametrize(
    ("pip", "own", "given"),
    [
        ({"CERT": "/a.pem"}, {"SSL_CERT_FILE": "/b.pem"}, {"SSL_CERT_FILE": "/a.pem"}),
        ({}, {"REQUESTS_CA_BUNDLE": "/a.pem"}, {"SSL_CERT_FILE": "/a.pem"}),
        ({"CLIENT_CERT": "/me.pem"}, {}, {"SSL_CLIENT_CERT": "/me.pem"}),
        ({"PROXY": "http://127.0.0.1:1"}, {}, {"HTTPS_PROXY": "http://127.0.0.1:1"}),
        ({"TRUSTED_HOST": "a b"}, {}, {"UV_INSECURE_HOST": "a b"}),
        ({"NO_CACHE_DIR": "1"}, {}, {"UV_NO_CACHE": "1"}),
        ({"KEYRING_PROVIDER": "import"}, {}, {"UV_KEYRING_PROVIDER": "subprocess"}),
        ({"INDEX_URL": "a"}, {"UV_DEFAULT_INDEX": "b"}, {"UV_DEFAULT_INDEX": "b"}),
    ],
)
def test_certificates_proxies_and_hosts(
    pip: dict[str, str], own: dict[str, str], given: dict[str, str]
) -> None:
    assert given.items() <= install.environment(pip, own).items()


def test_what_uv_has_no_variable_for_is_an_option() -> None:
    pip = {"NO_INDEX": "true", "ONLY_BINARY": ":all:", "NO_BINARY": "a,b"}
    given = ["--no-index", "--no-binary", "a", "--no-binary", "b", "--only-binary", ":all:"]
    assert install.options(pip) == given
    assert install.options({"NO_INDEX": "false"}) == []


def test_uv_is_pinned_in_the_lock_file() -> None:
    pinned = install.excerpt((ROOT / "requirements.lock").read_text(encoding="utf-8"), "uv")
    first, *hashes = pinned.splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", first)
    assert len(hashes) > 5
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)


def test_both_lock_files_name_no_registry_and_agree() -> None:
    versions: dict[str, dict[str, set[str]]] = {}
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        for package, version in re.findall(r"^(\S+)==(\S+)", text, re.MULTILINE):
            versions.setdefault(package, {}).setdefault(name, set()).add(version)
    both = [pinned for pinned in versions.values() if len(pinned) == 2]
    assert both
    assert all(pinned["requirements-dev.lock"] <= pinned["requirements.lock"] for pinned in both)


def test_a_long_installation_says_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "TELL_EVERY_S", 0.05)
    install.patiently("compiling", [sys.executable, "-c", "import time; time.sleep(0.3)"])
    assert re.match(r"(setup: compiling, 0 s so far\n)+", capfd.readouterr().err)
    with pytest.raises(subprocess.CalledProcessError, match="exit status 3"):
        install.patiently("compiling", [sys.executable, "-c", "raise SystemExit(3)"])
