"""Compression of tensors: elements split into planes of bytes, quantization, and whole files."""
