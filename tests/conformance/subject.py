"""What is judged: the real daemon, or the echo on its connections, each on a port of its own."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = (ROOT / os.environ.get("CARGO_TARGET_DIR", "target")).resolve()
TOOLS = TARGET / "conformance"
CLIENTS = TARGET / "clients"
PATIENCE = 30


def require(path):
    if not path.exists():
        sys.exit(f"{path} is missing: run tests/conformance/install first")
    return path


def build(*arguments):
    subprocess.run(["cargo", "build", "--quiet", "--locked", *arguments], cwd=ROOT, check=True)


@contextlib.contextmanager
def echo():
    """Gives the address of the echo."""
    build("-p", "clown-server", "--features", "conformance", "--example", "echo")
    command = [TARGET / "debug/examples/echo"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        # It stops when its input is closed, which leaving this block does.
        yield process.stdout.readline().strip()
        process.stdin.close()
        process.wait(PATIENCE)


@contextlib.contextmanager
def daemon(config=""):
    """Gives the address of a daemon with folders of its own."""
    build("-p", "clownd")
    with tempfile.TemporaryDirectory(prefix="clown-conformance-") as folder:
        folder = pathlib.Path(folder)
        for name in ["config", "state", "home"]:
            (folder / name).mkdir()
        (folder / "config/config.toml").write_text(config)
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": folder / "home",
            "CLOWN_CONFIG_DIR": folder / "config",
            "CLOWN_STATE_DIR": folder / "state",
        }
        command = [TARGET / "debug/clownd", "--listen", "127.0.0.1:0", "--log-level", "warn"]
        with subprocess.Popen(command, env=environment) as process:
            try:
                yield found(folder / "state/daemon.json", process)
            finally:
                process.terminate()
                process.wait(PATIENCE)


def found(file, process):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            return json.loads(file.read_text())["address"]
        time.sleep(0.01)
    sys.exit("the daemon did not start")
