"""Training of models: needs PyTorch and Lightning."""

LAST = "last.ckpt"
"""name of the checkpoint that a run ends with"""
