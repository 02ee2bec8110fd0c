"""Modules that only some commands need."""

from ncodec.errors import BackendError


def require_modules(*modules: str, extra: str) -> None:
    """Raise BackendError, naming the extra to install, unless all of these can be imported."""
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        msg = f"this needs {', '.join(missing)}: pip install 'ncodec[{extra}]'"
        raise BackendError(msg)
