"""Install llama-cpp-python, building only the parts of llama.cpp that are used, with a progress line.

The package index carries only its source, so a first install compiles C++. Its defaults take about ten minutes on two
cores; without the multimodal tools, the server helpers and full optimisation of code that is not on the clock it takes
about a minute and a half. A version that is already installed, or your own CMAKE_ARGS (for a GPU), are respected.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REQUIREMENT = "llama-cpp-python>=0.3.36,<0.4"
LEAN = ("-DLLAVA_BUILD=OFF", "-DLLAMA_BUILD_TOOLS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_TESTS=OFF")
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
    return build()


def build() -> int:
    """Compile and install, with one line that counts the steps."""
    lean = Path(__file__).with_name("llama-lean.cmake").resolve()
    ours = " ".join((*LEAN, f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={lean}"))
    env = {**os.environ, "CMAKE_ARGS": os.environ.get("CMAKE_ARGS") or ours}
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-v", REQUIREMENT]
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
