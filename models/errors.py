"""Every error a user can meet, as one tree; the text of each is fit to be shown.

    LlmrecError                 what went wrong and what to do, in one line
    ├── StoreError              the database is missing, locked, foreign, damaged or newer than this program
    ├── ImportFailed            a file could not be read as items or events: file, line, what to do
    ├── UnknownItem             no item has this id
    ├── UnknownUser             nothing is known of this user
    └── ModelError
        ├── ModelNotFound       with the command that brings it
        ├── ModelRejected       the file is not a model we may load: header, size, hash, memory
        ├── ModelFailed         the child process crashed, hung or said no
        └── DownloadFailed      network, disk or hash

They live in the lowest layer so that every layer may raise them; `llmrec.engine` re-exports them.
"""

from llmrec.models.clean import clean


class LlmrecError(Exception):
    """Base of all errors whose text may be shown to the user: one line, and safe to draw whatever is quoted in it."""

    def __str__(self) -> str:
        return clean(super().__str__())


class StoreError(LlmrecError):
    """The database is missing, locked, foreign, damaged or newer than this program."""


class ImportFailed(LlmrecError):
    """A file could not be read as items or events; the text names file and line."""


class UnknownItem(LlmrecError):
    """No item has this id."""


class UnknownUser(LlmrecError):
    """Nothing is known of this user."""


class ModelError(LlmrecError):
    """Base of what can go wrong with a model; recommendations go on without it."""


class ModelNotFound(ModelError):
    """The model file is not there; the text names the command that brings it."""


class ModelRejected(ModelError):
    """The file is not a model that may be loaded: bad header, no tensors, wrong hash, too big."""


class ModelFailed(ModelError):
    """The child process crashed, hung or refused; it is restarted at the next request."""


class DownloadFailed(ModelError):
    """A download stopped: no network, disk full, or the bytes are not the pinned ones."""
