"""The host against a process that misbehaves in every way (T14): quick, certain, and nothing left behind."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from llmrec.models.errors import ModelFailed
from llmrec.models.host import Host, Limits

FAKE = Path(__file__).with_name("fake_child.py")
QUICK = Limits(start=10.0, load=2.0, silence=0.4, total=1.5, grace=0.2)
SOON = 5.0
"""Seconds after which a test gives up; nothing is measured."""


@pytest.fixture
def make() -> Iterator[Callable[..., Host]]:
    """Hosts with a fake process; all of them leave no process, thread or descriptor behind."""
    processes, descriptors, threads = _children(), _descriptors(), threading.active_count()
    hosts: list[Host] = []

    def build(mode: str, limits: Limits = QUICK, **options: Any) -> Host:
        hosts.append(Host(program=(sys.executable, str(FAKE), mode), limits=limits, **options))
        return hosts[-1]

    yield build
    for host in hosts:
        host.close()
    assert _children() == processes
    assert _descriptors() == descriptors
    assert threading.active_count() == threads


def _children() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def _descriptors() -> int:
    return psutil.Process().num_fds()


def _until(true: Callable[[], bool]) -> bool:
    """Wait for something that happens in another thread or process."""
    end = time.monotonic() + SOON
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _words(host: Host, cancel: threading.Event | None = None) -> list[str]:
    return [
        f.fields["text"] for f in host.ask("generate", {"max_tokens": 1000}, cancel=cancel) if f.fields["is"] == "piece"
    ]


def test_answers_come_back(make: Callable[..., Host]) -> None:
    assert _words(make("well")) == ["well answers"]


@pytest.mark.parametrize(("own", "found"), [(None, "2000"), ("7", "7")])
def test_threads_of_the_process_wait_briefly_unless_told_otherwise(
    make: Callable[..., Host], monkeypatch: pytest.MonkeyPatch, own: str | None, found: str
) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", own) if own else monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert _words(make("environment")) == [found]


BAD = ["hang", "stop", "flood", "exit-mid-token", "abort", "half-frame", "huge-frame", "garbage", "no-start", "old"]


@pytest.mark.parametrize("mode", BAD)
def test_every_misbehaviour_is_one_clear_error_and_a_new_process_follows(
    make: Callable[..., Host], mode: str, tmp_path: Path
) -> None:
    limits = Limits(start=0.8, load=1.0, silence=0.3, total=0.8, grace=0.2) if mode == "no-start" else QUICK
    host = make(mode, limits, log=tmp_path / "model.log")
    with pytest.raises(ModelFailed) as caught:
        _words(host)
    assert "The model process" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "model.log") in str(caught.value)
    if mode not in ("no-start", "old"):
        assert host.health()["pid"] > 0


@pytest.mark.parametrize("mode", ["hang", "stop", "slow"])
def test_cancel_frees_the_caller_at_once_and_the_process_soon(make: Callable[..., Host], mode: str) -> None:
    host = make(mode, Limits(silence=60, total=60, grace=0.2))
    cancel = threading.Event()
    pid = host.health()["pid"]
    threading.Timer(0.1, cancel.set).start()
    assert len(_words(host, cancel)) < 1000
    assert host.health()["pid"] > 0
    if mode != "slow":
        assert _until(lambda: not psutil.pid_exists(pid))


def test_leaving_a_stream_early_stops_it(make: Callable[..., Host]) -> None:
    host = make("slow", Limits(grace=0.1))
    stream = host.ask("generate", {"max_tokens": 1000})
    next(stream)
    stream.close()
    assert host.health()["pid"] > 0


@pytest.mark.parametrize("mode", ["hang", "stop", "flood", "ignore-term"])
def test_close_ends_everything_while_it_works(make: Callable[..., Host], mode: str) -> None:
    host = make(mode, Limits(silence=60, total=60, grace=0.1))
    errors: list[ModelFailed] = []

    def ask() -> None:
        try:
            _words(host)
        except ModelFailed as exc:
            errors.append(exc)

    host.health()
    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.05)
    host.close()
    asking.join(SOON)
    assert not asking.is_alive()


def test_close_does_not_wait_for_a_process_that_does_not_start(make: Callable[..., Host]) -> None:
    host = make("no-start", Limits(start=60))
    threading.Timer(0.3, host.close).start()
    with pytest.raises(ModelFailed):
        host.health()


@pytest.mark.parametrize("fault", ["ImportError('no module')", "OSError('libllama.so: cannot open')"])
def test_a_machine_where_llama_cpp_does_not_load_says_so(fault: str) -> None:
    code = (
        "import sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'llama_cpp': raise {fault}\n"
        "sys.meta_path.insert(0, Broken())\n"
        "from llmrec.models.worker import main\n"
        "main()\n"
    )
    host = Host(program=(sys.executable, "-c", code))
    for _ in range(2):
        with pytest.raises(ModelFailed, match="does not load on this machine"):
            host.health()
    host.close()


def test_a_request_too_large_to_send_is_refused_and_the_host_goes_on(make: Callable[..., Host]) -> None:
    host = make("well")
    with pytest.raises(ModelFailed, match="too large"):
        host.answer("health", {"text": "x" * (20 << 20)})
    assert host.health()["pid"] > 0


def test_a_closed_host_refuses(make: Callable[..., Host]) -> None:
    host = make("well")
    host.close()
    host.close()
    with pytest.raises(ModelFailed, match="closed"):
        host.health()


def test_an_idle_process_that_dies_is_buried_and_replaced(make: Callable[..., Host]) -> None:
    host = make("well")
    pid = host.health()["pid"]
    os.kill(pid, 9)
    assert _until(lambda: not psutil.pid_exists(pid))
    assert host.health()["pid"] != pid


def test_fifty_cancels_leave_nothing(make: Callable[..., Host]) -> None:
    host = make("slow", Limits(grace=0.01))
    host.health()
    for n in range(50):
        cancel = threading.Event()
        threading.Timer(0.001 * (n % 7), cancel.set).start()
        _words(host, cancel)
    assert host.health()["pid"] > 0


def test_a_waiting_request_can_be_cancelled(make: Callable[..., Host]) -> None:
    host = make("slow", Limits(grace=0.05))
    cancel = threading.Event()
    cancel.set()
    busy = host.ask("generate", {"max_tokens": 1000})
    next(busy)
    assert _words(host, cancel) == []
    busy.close()


def test_the_process_dies_with_the_app(tmp_path: Path) -> None:
    code = (
        "import sys, os, time\n"
        "from llmrec.models.host import Host\n"
        "print(Host().health()['pid'], flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as app:
        assert app.stdout is not None
        pid = int(app.stdout.readline())
        assert psutil.pid_exists(pid)
        app.kill()
    assert _until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_the_process_ends_when_the_app_just_ends() -> None:
    code = "from llmrec.models.host import Host\nprint(Host().health()['pid'], flush=True)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert _until(lambda: not psutil.pid_exists(int(done.stdout)))


def test_a_starting_thread_may_end_before_the_process(make: Callable[..., Host]) -> None:
    host = Host()
    pids: list[int] = []
    thread = threading.Thread(target=lambda: pids.append(host.health()["pid"]))
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert host.health()["pid"] == pids[0]
    host.close()
