"""Pillow plugin: `Image.open("x.nci")` and `image.save("x.nci", quality=60)` after `import
ncodec.pillow_plugin`."""

from dataclasses import fields, replace
from typing import IO, TYPE_CHECKING

from PIL import Image, ImageFile, UnidentifiedImageError

from ncodec.api.pictures import REDUCED, decode_container, encode_picture
from ncodec.api.settings import EncodeSettings
from ncodec.container.nci import MAGIC, Container, Flag, Tag, unpack
from ncodec.errors import NcodecError
from ncodec.media.pictures import EXIF_PREFIX, from_pil, metadata_of, to_pil
from ncodec.notices import report_notices

if TYPE_CHECKING:
    from PIL._imaging import PixelAccess

ENCODE_OPTIONS = tuple(field.name for field in fields(EncodeSettings))


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


class NciImageFile(ImageFile.ImageFile):
    """A file opened by Pillow: header and metadata at once, pixels at `load`."""

    format = "NCI"
    format_description = "ncodec picture"
    _container: Container | None = None

    def _open(self) -> None:
        try:
            container = unpack(self.fp.read())  # type: ignore[union-attr]
        except NcodecError as error:
            msg = str(error)
            raise UnidentifiedImageError(msg) from error
        header, extras = container.header, container.extras
        self._size = (header.width, header.height)
        self._mode = ("L" if header.flags & Flag.GREY else "RGB") + (
            "A" if Tag.ALPHA in extras else ""
        )
        self.info.update(
            metadata_of(extras.get(Tag.ICC), extras.get(Tag.EXIF), extras.get(Tag.XMP))
        )
        self._container = container
        self.tile = []

    def load(self) -> "PixelAccess | None":
        """Decode the pixels, once."""
        if self._container is not None:
            picture = decode_container(self._container)
            if picture.deep is not None:
                report_notices((REDUCED,), strict=False)
            self.im = to_pil(picture).im
            self._container = None
            if self.fp is not None and self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return super().load()


def _save(image: Image.Image, stream: IO[bytes], filename: str | bytes) -> None:
    given = image.encoderinfo
    settings = EncodeSettings(**{name: given[name] for name in ENCODE_OPTIONS if name in given})
    picture = from_pil(image, first_only=True)
    exif = given.get("exif", picture.exif)
    exif = exif.tobytes() if isinstance(exif, Image.Exif) else exif
    picture = replace(
        picture,
        icc=given.get("icc_profile", picture.icc),
        exif=exif.removeprefix(EXIF_PREFIX) if exif else None,
        xmp=given.get("xmp", picture.xmp),
    )
    report_notices(picture.notices, strict=settings.strict, stacklevel=4)  # who called Image.save
    stream.write(encode_picture(picture, settings).data)


Image.register_open(NciImageFile.format, NciImageFile, _accept)
Image.register_save(NciImageFile.format, _save)
Image.register_extension(NciImageFile.format, ".nci")
Image.register_mime(NciImageFile.format, "image/x-nci")
