"""The student on disk: a sentence-transformers folder, and from it the GGUF file that ships."""

import json
import shutil
from pathlib import Path

from safetensors.torch import save_file

from llmrec.models.archive import FILES
from llmrec.models.bert_folder import BertFolder
from llmrec.models.convert import ConvertReport, FileType, convert
from llmrec.models.training.bert import Bert, weights_of

NAME = "llmrec-embed"
ABOUT = {
    "general.license": "apache-2.0",
    "general.description": "Student of all-MiniLM-L6-v2 with three of its six layers, for llmrec-tui.",
    "general.base_model.0.name": "all-MiniLM-L6-v2",
    "general.base_model.0.organization": "sentence-transformers",
    "general.base_model.0.repo_url": "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
}
"""What the GGUF file says of itself."""
_REWRITTEN = {"config.json", "model.safetensors"}


def save_folder(student: Bert, teacher: BertFolder, out: Path) -> None:
    """Write the student as sentence-transformers saves a model; tokenizer and pooling are the teacher's.

    Args:
        student: the weights.
        teacher: the folder the student's shape comes from.
        out: folder to write; files of the same names are replaced.
    """
    for name in FILES.keys() - _REWRITTEN:
        if (teacher.path / name).is_file():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(teacher.path / name, out / name)
    config = json.loads((teacher.path / "config.json").read_text("utf-8"))
    config.pop("_name_or_path", None)
    config["num_hidden_layers"] = len(student.layers)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
    save_file(weights_of(student), out / "model.safetensors", metadata={"format": "pt"})


def write_gguf(folder: Path, out: Path, ftype: FileType = "q8_0") -> ConvertReport:
    """Write the GGUF file of an exported folder.

    Raises:
        ModelRejected: the folder is not what `save_folder` writes.
    """
    return convert(folder, out, ftype, name=NAME, about=ABOUT)
