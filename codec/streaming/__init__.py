"""Clips → ladders of renditions, segments and manifests for players."""
