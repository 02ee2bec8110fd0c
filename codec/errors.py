"""The exceptions that ncodec raises on purpose; all derive from `NcodecError`."""


class NcodecError(Exception):
    """Base of every error that an input, a file or an option can cause."""


class FormatError(NcodecError, ValueError):
    """The bytes are not a valid ncodec file: wrong magic, truncated, damaged, or of a newer
    version."""


class TruncatedError(FormatError):
    """A .ncv stream ends before its end record; the records before the cut are whole.

    A .nci picture that ends too soon raises FormatError itself.
    """


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


class LossError(NcodecError, ValueError):
    """Something would be lost or converted, and the settings are strict."""


class NcodecWarning(UserWarning):
    """Category of the warnings that carry notices: losses and conversions, in sentences."""


def sentence_of(error: Exception) -> str:
    """Message of an exception, for the end of a sentence: its `strerror`, if any, else its text.

    OSError and FFmpeg's exceptions have a `strerror`, which names no file.
    """
    return getattr(error, "strerror", None) or str(error)
