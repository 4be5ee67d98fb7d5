"""What the model process gives up before it opens a model file: rights it does not need to read and compute.

llama.cpp's own advice is to run untrusted model files in a sandbox. Limits and priority work everywhere; the file
and network rules need Linux 5.13 (Landlock, https://docs.kernel.org/userspace-api/landlock.html) and are silently
absent elsewhere; `health` says which hold.
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH = 1
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_EXECUTE, _WRITE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_FS_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""All file rights an ABI version knows; later versions add one more (ioctl on devices)."""
_FS_RIGHTS_LATEST = (1 << 16) - 1
_NET_TCP = 0b11
_SCOPES = 0b11
_LOG_BYTES = 16 << 20
"""No file of the process may grow beyond this, its log included."""
_COPY_BYTES = 512 << 20
"""Nor beyond this while a model is copied in memory."""
_NICE = 5
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev/urandom")


def die_with(parent: int) -> None:
    """Ask the kernel to end this process when the thread that started it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


def limit(*, may_write: bool) -> None:
    """No core dumps, few descriptors, bounded memory and files; last when cores are short, first when memory is."""
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NOFILE, 256)
    if not may_write:
        _set(resource.RLIMIT_FSIZE, _COPY_BYTES)
        resource.setrlimit(resource.RLIMIT_FSIZE, _file_sizes(_LOG_BYTES))
    if sys.platform == "linux":
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        _set(resource.RLIMIT_AS, 2 * total + (8 << 30))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        with contextlib.suppress(OSError):  # Linux weighs sessions first, and this process leads its own
            Path("/proc/self/autogroup").write_text(str(_NICE))
    with contextlib.suppress(OSError):
        os.nice(_NICE)


@contextlib.contextmanager
def larger_files() -> Iterator[None]:
    """Room for a copy of a small model in memory, which counts as a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, _file_sizes(_COPY_BYTES))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _file_sizes(most: int) -> tuple[int, int]:
    """The soft limit of that many bytes, if the hard one allows it, and the hard one as it is."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    return most if hard == resource.RLIM_INFINITY else min(most, hard), hard


def confine(readable: Iterable[Path], writable: Iterable[Path] = ()) -> str:
    """Allow reading only what Python and the model need, writing only `writable`, and no TCP.

    Returns:
        What holds now, in words for `health`.
    """
    if sys.platform != "linux":
        return "none: not Linux"
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return "none: the kernel has no Landlock"
    rights = _FS_RIGHTS.get(version, _FS_RIGHTS_LATEST)
    fields = [rights, *([_NET_TCP] if version >= 4 else []), *([_SCOPES] if version >= 6 else [])]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    if ruleset < 0:
        return f"none: {os.strerror(ctypes.get_errno())}"
    try:
        code = [Path(entry) for entry in (*sys.path, sys.prefix, sys.base_prefix, *_SYSTEM) if entry]
        for path in (*code, Path(__file__).parent, *readable):
            _allow(libc, ruleset, path, _EXECUTE | _READ_FILE | _READ_DIR)
        _allow(libc, ruleset, Path("/dev/null"), _READ_FILE | _WRITE)
        for path in writable:
            _allow(libc, ruleset, path, rights)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)) != 0:
            return f"none: {os.strerror(ctypes.get_errno())}"
    finally:
        os.close(ruleset)
    return f"Landlock {version}: files read-only, " + ("no TCP" if version >= 4 else "network not limited")


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    """Add a rule for a file or everything under a folder; what does not exist needs none."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _EXECUTE | _WRITE | _READ_FILE
        rule = struct.pack("=Qi", rights, descriptor)
        libc.syscall(_ADD_RULE, ctypes.c_int(ruleset), _RULE_PATH, rule, ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _set(kind: int, value: int) -> None:
    """Lower a limit; never raises one."""
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value))
