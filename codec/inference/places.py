"""Where models lie beside the package."""

import os
from collections.abc import Iterator
from pathlib import Path

from ncodec.inference.entry import MODEL_FILE

VARIABLE = "NCODEC_MODELS"
"""environment variable of folders that are models or hold them, separated as in PATH"""
SUFFIX = ".ncmodel"
"""of a model as a single file"""


def user_folder() -> Path | None:
    """Where `ncodec models add` puts models; None where the user has no folder for data."""
    import platformdirs

    folder = platformdirs.user_data_path("ncodec", appauthor=False) / "models"
    # Without a home, its name stays a "~".
    return folder if folder.is_absolute() else None


def models_in(folder: Path) -> list[Path]:
    """The folder itself if it is a model's, else the models in it, sorted by name."""
    try:
        if (folder / MODEL_FILE).is_file():
            return [folder]
        inner = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
        return [path for path in inner if (path / MODEL_FILE).is_file()]
    except OSError:
        return []


def other_folders() -> Iterator[Path]:
    """Folders of models beside the package's: those that NCODEC_MODELS names, then the user's."""
    for name in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        yield from models_in(Path(name))
    own = user_folder()
    if own is not None:
        yield from models_in(own)
