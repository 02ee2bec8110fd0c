"""Whole libraries of pictures and clips: encoded, decoded or streamed, item by item."""
