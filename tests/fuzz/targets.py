"""Every target by its name, which is also that of its folder in `corpus` and `regressions`."""

from fuzz.cells import decode_cells
from fuzz.colours import read_colours
from fuzz.frames import decode_frames
from fuzz.metadata import decode_exif, decode_record
from fuzz.packed import unpack
from fuzz.pictures import decode_picture
from fuzz.rule import Target
from fuzz.streams import decode_stream
from fuzz.tensors import read_tensors

TARGETS: dict[str, Target] = {
    "pictures": decode_picture,
    "streams": decode_stream,
    "frames": decode_frames,
    "cells": decode_cells,
    "records": decode_record,
    "exif": decode_exif,
    "colours": read_colours,
    "packed": unpack,
    "tensors": read_tensors,
}
