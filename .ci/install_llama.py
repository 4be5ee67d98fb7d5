"""Install llama-cpp-python, building only the parts of llama.cpp that are used, with a progress line.

The package index carries only its source, so a first install compiles C++. Its defaults take about ten minutes on two
cores; without the multimodal tools, the server helpers and full optimisation of code that is not on the clock it takes
about a minute and a half. On Linux with an x86 processor OpenBLAS goes in too: on AVX-512 the encoder then reads 1.35
times the texts a second. A version that is already installed, or your own CMAKE_ARGS (for a GPU), are respected.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
REQUIREMENT = "llama-cpp-python>=0.3.36,<0.4"
LEAN = ("-DLLAVA_BUILD=OFF", "-DLLAMA_BUILD_TOOLS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_TESTS=OFF")
OPENBLAS = "scipy-openblas32>=0.3.29,<0.4"
PREBUILT = "https://abetlen.github.io/llama-cpp-python/whl/cpu"


def main() -> int:
    """Install unless it is there; returns the exit code."""
    try:
        print(f"llama-cpp-python {version('llama-cpp-python')} is installed")
        return 0
    except PackageNotFoundError:
        pass
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        print(
            "llama.cpp needs a C++ compiler: apt install g++ (Debian, Ubuntu) or xcode-select --install (macOS).\n"
            f"Without one: {sys.executable} -m pip install llama-cpp-python --extra-index-url {PREBUILT}",
            file=sys.stderr,
        )
        return 1
    with tempfile.TemporaryDirectory() as folder:
        lean = Path(__file__).with_name("llama-lean.cmake").resolve()
        ours = (*LEAN, f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={lean}", *openblas(Path(folder)))
        return build(os.environ.get("CMAKE_ARGS") or " ".join(ours))


def openblas(folder: Path) -> tuple[str, ...]:
    """Fetch OpenBLAS as numpy's makers build it; returns the options that use it, none where it is not to be had."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return ()
    options = ("-q", "--no-deps", "--only-binary=:all:", "--target", str(folder), OPENBLAS)
    if subprocess.run([*PIP, "install", *options], stderr=subprocess.DEVNULL, check=False).returncode:
        print("OpenBLAS could not be fetched; llama.cpp is built without it, and reads texts a little more slowly")
        return ()
    base = folder / "scipy_openblas32"
    return (
        "-DGGML_BLAS=ON",
        "-DGGML_BLAS_VENDOR=OpenBLAS",
        f"-DBLAS_LIBRARIES={base / 'lib' / 'libscipy_openblas.so'}",
        f"-DBLAS_INCLUDE_DIRS={base / 'include'}",
    )


def build(cmake_args: str) -> int:
    """Compile and install, with one line that counts the steps."""
    env = {**os.environ, "CMAKE_ARGS": cmake_args}
    command = [*PIP, "install", "-v", REQUIREMENT]
    started = time.monotonic()
    tail: list[str] = []
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            tail = [*tail[-40:], line]
            show(line, time.monotonic() - started)
    print()
    if pip.returncode:
        print("".join(tail), file=sys.stderr)
        print(f"The build failed. A prebuilt wheel: pip install llama-cpp-python --extra-index-url {PREBUILT}")
    return pip.returncode


def show(line: str, seconds: float) -> None:
    """Turn the build tool's step counter into a progress line, redrawn on a terminal, now and then elsewhere."""
    step = re.search(r"\[(\d+)/(\d+)\]", line)
    if step is None:
        return
    done, total = map(int, step.groups())
    text = f"building llama.cpp {done}/{total}, {seconds:.0f} s (once; about two minutes on two cores)"
    if sys.stdout.isatty():
        print(f"\r{text}", end="", flush=True)
    elif done % 20 == 0 or done == total:
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
