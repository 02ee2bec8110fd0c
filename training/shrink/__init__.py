"""Smaller decoders of a model: pruned, distilled, decomposed, quantized."""
