"""The exceptions that ncodec raises on purpose; all derive from `NcodecError`."""


class NcodecError(Exception):
    """Base of every error that an input, a file or an option can cause."""


class FormatError(NcodecError, ValueError):
    """The bytes are not a valid ncodec file: wrong magic, truncated, damaged, or of a newer
    version."""


class TruncatedError(FormatError):
    """An ncodec file ends too soon; the records before the end are whole."""


class ModelError(NcodecError, LookupError):
    """A model is unknown, incomplete, or its files do not match their recorded hashes."""


class BackendError(NcodecError, RuntimeError):
    """A backend is not installed, or cannot run on this machine."""


class InputError(NcodecError, ValueError):
    """Pixels, a picture file or an option value cannot be used."""


class OutputError(NcodecError, OSError):
    """A result cannot be written: the file exists, or the place is not writable."""


class TrainingError(NcodecError, RuntimeError):
    """Training cannot go on."""


def sentence_of(error: Exception) -> str:
    """The message of an exception of FFmpeg or of the system."""
    return getattr(error, "strerror", None) or str(error)
