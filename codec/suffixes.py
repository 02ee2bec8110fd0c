"""What files of clips are called."""

CLIP_SUFFIXES = frozenset(
    {
        ".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm",
        ".wmv", ".y4m",
    }
)  # fmt: skip
