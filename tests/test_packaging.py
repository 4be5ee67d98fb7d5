"""What is installed is what is in the tree, under the right names, and the layers stand."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

import llmrec.engine

FOLDERS = ("tui", "engine", "models", "sample_data")


def _python_packages() -> set[str]:
    return {
        "llmrec." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("__init__.py")
    }


def test_every_package_folder_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert set(listed) == _python_packages()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the tracked tree, built in a copy so that nothing is left behind."""
    copy = tmp_path_factory.mktemp("tree")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in (f.decode() for f in files if f):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-c", "from setuptools.build_meta import build_wheel; print(build_wheel('dist'))"]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    return next((copy / "dist").glob("*.whl"))


def test_the_wheel_holds_every_file_of_the_program(wheel: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("llmrec/")}
    tracked = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, check=True, text=True)
    suffixes = (".py", ".tcss", ".toml", ".jsonl", ".npz", "py.typed")
    wanted = {f"llmrec/{name}" for name in tracked.stdout.split() if name.endswith(suffixes)}
    assert wanted - inside == set()
    assert len(wanted) > 50


def test_no_plain_names_reach_site_packages(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"llmrec"}


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("llmrec.engine", ("textual", "llama_cpp", "gguf", "torch", "rich", "click", "sqlite_utils", "feedparser")),
        ("llmrec.models.host", ("textual", "llama_cpp", "torch", "llmrec.engine")),
        ("llmrec.engine.cli", ("textual", "llama_cpp", "torch", "rich", "feedparser", "sklearn")),
        ("llmrec.tui.app", ("llama_cpp", "torch", "sqlite_utils", "feedparser", "sklearn")),
    ],
)
def test_importing_brings_only_what_is_needed(module: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print([m for m in {forbidden!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_public_names_are_real() -> None:
    assert all(hasattr(llmrec.engine, name) for name in llmrec.engine.__all__)


def test_every_command_says_what_it_does() -> None:
    from llmrec.engine.cli import main

    for name, command in main.commands.items():
        assert command.help, name
