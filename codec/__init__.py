"""ncodec: a learned image codec that decodes everywhere, without PyTorch."""
