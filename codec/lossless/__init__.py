"""Lossless coding of any bytes: methods, and the container of their blocks."""
