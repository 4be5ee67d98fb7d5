"""What the model process may not do, tried from inside one."""

import json
import subprocess
import sys

import pytest

from llmrec.models.host import Host

TRY = """
import json, os, resource, socket, sys
from pathlib import Path
from llmrec.models import sandbox
inside, outside = Path(sys.argv[1]), Path(sys.argv[2])
os.environ.clear()
sandbox.limit(may_write=False)
holds = sandbox.confine([inside])
def may(action):
    try:
        action()
    except OSError as exc:
        return type(exc).__name__
    return "yes"
with socket.socket() as listener:
    print(json.dumps({
        "holds": holds,
        "read inside": may((inside / "model").read_bytes),
        "read outside": may((outside / "secret").read_bytes),
        "list outside": may(lambda: list(outside.iterdir())),
        "write inside": may(lambda: (inside / "new").write_bytes(b"")),
        "write outside": may(lambda: (outside / "new").write_bytes(b"")),
        "change inside": may(lambda: (inside / "model").open("r+b")),
        "listen": may(lambda: listener.bind(("127.0.0.1", 0))),
        "start a program from outside": may(lambda: os.execv(outside / "program", ["program"])),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "oom": Path("/proc/self/oom_score_adj").read_text().strip(),
        "nice": os.nice(0),
        "session": Path("/proc/self/autogroup").read_text() if Path("/proc/self/autogroup").exists() else "",
    }))
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    if sys.platform != "linux":
        pytest.skip("Landlock is Linux's")
    inside, outside = tmp_path_factory.mktemp("inside"), tmp_path_factory.mktemp("outside")
    (inside / "model").write_bytes(b"weights")
    (outside / "secret").write_bytes(b"secret")
    (outside / "program").write_text("#!/bin/sh\n")
    (outside / "program").chmod(0o755)
    command = [sys.executable, "-c", TRY, str(inside), str(outside)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, start_new_session=True)
    answers: dict[str, object] = json.loads(done.stdout)
    if str(answers["holds"]).startswith("none"):
        pytest.skip(str(answers["holds"]))
    return answers


def test_only_the_models_folder_can_be_read(result: dict[str, object]) -> None:
    assert result["read inside"] == "yes"
    assert result["read outside"] == result["list outside"] == "PermissionError"


def test_nothing_can_be_written(result: dict[str, object]) -> None:
    for what in ("write inside", "write outside", "change inside"):
        assert result[what] == "PermissionError", what


def test_no_program_and_no_network(result: dict[str, object]) -> None:
    assert result["start a program from outside"] == "PermissionError"
    if "no TCP" in str(result["holds"]):
        assert result["listen"] == "PermissionError"


def test_it_is_the_first_to_go_and_leaves_no_core(result: dict[str, object]) -> None:
    assert result["core"] == 0
    assert result["oom"] == "1000"
    assert isinstance(result["nice"], int)
    assert result["nice"] >= 5
    assert not result["session"] or str(result["session"]).endswith("nice 5\n"), "else niceness counts for nothing"


def test_health_says_what_holds(host: Host) -> None:
    assert host.health()["sandbox"].startswith(("Landlock", "none"))
