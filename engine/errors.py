"""The error tree, re-exported so that the screen and scripts need one import; it is drawn in `llmrec.models.errors`."""

from llmrec.models.errors import (
    DownloadFailed,
    ImportFailed,
    LlmrecError,
    ModelError,
    ModelFailed,
    ModelNotFound,
    ModelRejected,
    StoreError,
    UnknownItem,
    UnknownUser,
)

__all__ = [
    "DownloadFailed",
    "ImportFailed",
    "LlmrecError",
    "ModelError",
    "ModelFailed",
    "ModelNotFound",
    "ModelRejected",
    "StoreError",
    "UnknownItem",
    "UnknownUser",
]
