"""The student on disk: a sentence-transformers folder, from it the GGUF file that ships, and back again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from llmrec.models.archive import FILES
from llmrec.models.bert_folder import BertFolder
from llmrec.models.convert import ConvertReport, FileType, convert, gguf_names
from llmrec.models.hashes import sha256_of
from llmrec.models.training.bert import Bert, bert_of, weights_of
from llmrec.models.training.checkpoints import CheckpointError, State

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


def read_gguf(path: Path, teacher: BertFolder, layers: int) -> State:
    """The student of a file that `write_gguf` wrote, rounded as it is there, for `Trainer.start_from`.

    Args:
        path: the GGUF file.
        teacher: the folder the student's shape comes from.
        layers: the student's.

    Raises:
        CheckpointError: the file is damaged or of another shape.
    """
    from gguf import GGUFReader, quants

    shape = replace(teacher, layers=layers)
    try:
        tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
        weights = {
            theirs: torch.from_numpy(
                np.array(quants.dequantize(tensors[ours].data, tensors[ours].tensor_type), np.float32)
            ).reshape(size)
            for theirs, (ours, size) in gguf_names(shape).items()
        }
        student = bert_of(weights, shape, range(layers))
    except (OSError, ValueError, KeyError, IndexError, RuntimeError) as exc:
        raise CheckpointError(f"{path} holds no student of {layers} layers to start from.") from exc
    return {
        "student": student.state_dict(),
        "before": [f"as many updates as the card of the file with SHA-256 {sha256_of(path)[:16]} says"],
    }
