"""Where files live; the only reader of the environment variables that say so."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

APP = "llmrec"


@dataclass(frozen=True, slots=True)
class Paths:
    """Every place this program writes to."""

    data: Path
    """The store and downloaded models."""
    cache: Path
    """What can be made again."""
    state: Path
    """Logs."""

    @property
    def db(self) -> Path:
        """The one SQLite file that holds everything a user owns."""
        return self.data / "llmrec.db"

    @property
    def models(self) -> Path:
        """Model files brought by the user."""
        return self.data / "models"

    @property
    def log(self) -> Path:
        """What the model process says."""
        return self.state / "models.log"


def find_paths() -> Paths:
    """LLMREC_DATA_DIR first, then XDG_* (on macOS too, where users expect it), then the system's custom."""
    override = os.environ.get("LLMREC_DATA_DIR")
    if override:
        base = Path(override).expanduser()
        return Paths(data=base, cache=base / "cache", state=base / "state")
    return Paths(
        data=_xdg("XDG_DATA_HOME", platformdirs.user_data_path(APP, appauthor=False)),
        cache=_xdg("XDG_CACHE_HOME", platformdirs.user_cache_path(APP, appauthor=False)),
        state=_xdg("XDG_STATE_HOME", platformdirs.user_state_path(APP, appauthor=False)),
    )


def _xdg(variable: str, default: Path) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser() / APP if value else default
