"""Neural lossless coding: networks that learn while they code, in arithmetic exact everywhere."""
