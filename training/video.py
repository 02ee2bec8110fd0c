"""The Lightning module of predicted frames: each is priced beside what an encoder predicted it as."""

from torch import Tensor

from ncodec.models.image import Prediction
from ncodec.training.data import to_unit
from ncodec.training.image import LOG_LOSS, ImageTraining
from ncodec.training.losses import RateDistortion, mean_square_420, rate_distortion

LOSS_FLOOR = 0.02
"""bits per pixel that do not matter"""


class VideoTraining(ImageTraining):
    """Minimizes λ·255²·MSE + bpp of predicted frames, given the predictions that an encoder made far into its clips.

    The error is that of Y, Cb and Cr in 4:2:0: as such clips are stored, shown and compared.
    """

    def price(self, crops: Tensor, qp: Tensor) -> tuple[RateDistortion, Prediction]:
        """Rate and distortion of frames beside their predictions, (B, 2, H, W, 3) uint8, at (B,) qp."""
        pixels = to_unit(crops[:, 0])
        seen: Prediction = self.model(pixels, to_unit(crops[:, 1]), qp)
        lagrangian = self.model.config.lambda_of(qp)
        mse = mean_square_420(seen.pixels.float() - pixels)
        return rate_distortion(mse, seen, pixels=pixels[0, 0].numel(), lagrangian=lagrangian), seen

    def objective(self, result: RateDistortion) -> Tensor:
        """Logarithm's gradient: a still scene counts as much as one that moves and takes fifty times its bits."""
        return (result.loss / (result.true_loss.detach() + LOSS_FLOOR)).mean()

    def measure(self, batch: tuple[Tensor, ...], *, show: bool = False) -> dict[str, Tensor]:
        """What is known of held-out pairs at their own qps, (B,) by name; `show` draws them into the log."""
        crops, qp = batch
        result, seen = self.price(crops, qp)
        if show:
            self._show("val/picture", crops[:, 0], seen.pixels)
        return {"val/bpp": result.bpp, "val/psnr": result.psnr, LOG_LOSS: (result.true_loss + LOSS_FLOOR).log()}
