"""The installed models."""

from ncodec.inference.zoo import MANIFEST, list_models

__all__ = ["MANIFEST", "list_models"]
