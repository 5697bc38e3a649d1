"""Augmentation of a whole batch on the device.

All geometry is one affine map from output to input pixels, so a face is resampled once; it
agrees with SciPy's ``affine_transform(face, matrix, offset, order=1, mode="reflect")`` and a
flip to 0.01 grey level. Blur, colours, gamma, one gain and one offset, noise and erasing
follow, and mixup at last. Gamma, gain and offset are the same for all channels.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from action_units.config import Augmentation
from action_units.training.data import LUMA, planes
from action_units.training.randomness import face_uniforms, noise_seed

NOISE_POOL = 1 << 20
CHUNK = 32
"""Faces that a CPU thread augments at once, so that intermediate results stay in its cache."""


@dataclass(frozen=True)
class Plan:
    """What happens to each face of an epoch, in the epoch's order, on the device.

    Attributes:
        matrix: float32 (N, 2, 3), from output (row, column, 1) to input (row, column).
        gain: float32 (N,), multiplies the normalised pixel.
        offset: float32 (N,), is added to it.
        noise: float32 (N,), standard deviation of the additive noise.
        noise_start: int64 (N,), where in the noise pool the face reads.
        box: float32 (N, 4), the rows and columns [top, bottom, left, right) to erase.
        blur: float32 (N,), standard deviation of the blur in pixels.
        gamma: float32 (N,), exponent of the grey value.
        second: float32 (N,), share of a second face.
        colours: float32 (N, 3, 3), multiplies each pixel's red, green and blue.
    """

    matrix: Tensor
    gain: Tensor
    offset: Tensor
    noise: Tensor
    noise_start: Tensor
    box: Tensor
    blur: Tensor
    gamma: Tensor
    second: Tensor
    colours: Tensor

    def __getitem__(self, part: slice) -> "Plan":
        """The plan of some of the faces."""
        return Plan(*(getattr(self, name)[part] for name in self.__dataclass_fields__))


def make_plan(options: Augmentation, seed: int, epoch: int, faces: Tensor, size: int) -> Plan:
    """Draw the parameters of faces, each a function of (seed, epoch, face).

    Args:
        options: Their ranges.
        seed: The training's seed.
        epoch: Counted from 0.
        faces: int64 (N,), sample numbers; the plan lies on their device.
        size: Side of the faces in pixels.
    """
    u = face_uniforms(seed, epoch, faces, 22)  # (N, 22); new options append columns
    signed = 2.0 * u - 1.0
    matrix = affine_matrix(
        shift=options.shift * signed[:, 0:2],
        scale=torch.exp(math.log(options.scale) * signed[:, 2:4]),
        rotation=math.radians(options.rotation) * signed[:, 4],
        skew=options.skew * signed[:, 5],
        flip=u[:, 6] < options.flip,
        size=size,
    )
    gain = 1.0 + options.contrast * signed[:, 7]
    sides = u[:, 9:11] * options.erase_size * size * (u[:, 11:12] < options.erase)  # (N, 2)
    start = u[:, 12:14] * (size - sides)
    saturation = 1.0 + options.saturation * signed[:, 20]
    box = torch.stack([start, start + sides], dim=2).reshape(-1, 4)
    return Plan(
        matrix=matrix,
        gain=gain,
        offset=options.brightness * signed[:, 8],
        noise=options.noise * u[:, 14],
        noise_start=(u[:, 15] * (NOISE_POOL - size * size)).long(),
        box=box,
        blur=options.blur * size * u[:, 16],
        gamma=torch.exp(math.log(options.gamma) * signed[:, 17]),
        second=options.mixup * u[:, 18],
        colours=colour_matrix(
            hue=2.0 * math.pi * options.hue * signed[:, 19],
            saturation=saturation.masked_fill(u[:, 21] < options.grey, 0.0),
        ),
    )


def affine_matrix(
    shift: Tensor, scale: Tensor, rotation: Tensor, skew: Tensor, flip: Tensor, size: int
) -> Tensor:
    """The map from output pixels to input pixels.

    An output pixel o is read from c + R K Z (o - c) + shift * size, with R the rotation,
    K the skew and Z the scale. The centre c is (size/2, size/2), the paper's choice and
    half a pixel off the middle. The flip comes after the warp.

    Args:
        shift: (N, 2), rows and columns, as a part of the side.
        scale: (N, 2), of rows and columns; more than 1 reads further out, shrinking the face.
        rotation: (N,), radians.
        skew: (N,), added to the angle of the column axis, radians.
        flip: bool (N,).
        size: Side of the face in pixels.

    Returns:
        (N, 2, 3), acting on (row, column, 1).
    """
    cos, sin = torch.cos(rotation), torch.sin(rotation)
    cos_skew, sin_skew = torch.cos(rotation + skew), torch.sin(rotation + skew)
    linear = torch.stack([cos, -sin_skew, sin, cos_skew], dim=1).reshape(-1, 2, 2)
    linear = linear * scale[:, None, :]  # (N, 2, 2)
    centre = size / 2.0
    constant = centre + shift * size - centre * linear.sum(dim=2)  # (N, 2)
    # Flipping the output column q to size-1-q changes the column's sign and the constant.
    column = linear[:, :, 1]
    flipped = flip[:, None]
    constant = torch.where(flipped, constant + (size - 1) * column, constant)
    column = torch.where(flipped, -column, column)
    return torch.stack([linear[:, :, 0], column, constant], dim=2)


def colour_matrix(hue: Tensor, saturation: Tensor) -> Tensor:
    """The map of red, green and blue that turns hues and scales saturation.

    Both keep a pixel's luma: the chroma of NTSC (YIQ, FCC 1953), which is what red and blue
    exceed the luma by, is turned about the grey axis and multiplied. Being linear, it may take
    a colour out of 0 … 255, as contrast does.

    Args:
        hue: (N,), radians.
        saturation: (N,); 0 makes a face grey, 1 leaves it as it is.

    Returns:
        (N, 3, 3).
    """
    luma = torch.tensor(LUMA, dtype=torch.float64) / 1000.0
    eye = torch.eye(3, dtype=torch.float64)
    chroma = torch.tensor([[0.74, -0.27], [0.48, 0.41]], dtype=torch.float64)  # I and Q
    in_phase, quadrature = chroma @ (eye[[0, 2]] - luma)  # of red, green and blue
    quarter = torch.linalg.solve(  # turns by a right angle
        torch.stack([luma, in_phase, quadrature]),
        torch.stack([torch.zeros_like(luma), -quadrature, in_phase]),
    )
    grey = luma.expand(3, 3)
    cos, sin = ((saturation * part(hue))[:, None, None] for part in (torch.cos, torch.sin))
    matrix: Tensor = grey.to(hue) + cos * (eye - grey).to(hue) + sin * quarter.to(hue)
    return matrix


class Augmenter:
    """Applies plans to batches."""

    def __init__(self, options: Augmentation, seed: int, device: torch.device) -> None:
        """Prepare the noise pool, a function of the training's seed, on the device."""
        self.options = options
        if options.noise:
            # Every face reads a stretch of one pool: noise that costs a copy and does not
            # depend on the batch it is in.
            generator = torch.Generator().manual_seed(noise_seed(seed))
            pool = torch.randn(NOISE_POOL, generator=generator).to(device)
            # Twice, as the channels of a face in colour read on beyond the end.
            self.pool = pool.repeat(2)

    def __call__(self, faces: Tensor, plan: Plan) -> Tensor:
        """Augment and normalise faces, uint8 (B, S, S) or (B, S, S, 3), by their plan.

        Returns:
            float32 (B, 1, S, S) or (B, 3, S, S); 0 … 255 becomes -1 … 1 before photometry.
        """
        n, chunk = len(faces), CHUNK * torch.get_num_threads()
        if n <= chunk or faces.device.type != "cpu":
            return self._augmented(faces, plan)
        chunks = [slice(start, start + chunk) for start in range(0, n, chunk)]
        return torch.cat([self._augmented(faces[chunk], plan[chunk]) for chunk in chunks])

    def _augmented(self, faces: Tensor, plan: Plan) -> Tensor:
        options, size = self.options, faces.shape[1]
        pixels = planes(faces).to(torch.float32)  # (B, C, S, S)
        if options.warps:
            pixels = warp(pixels, plan.matrix)
        if options.blur:
            pixels = blur(pixels, plan.blur)
        if options.recolours and faces.ndim == 4:
            pixels = (plan.colours @ pixels.flatten(2)).reshape(pixels.shape)
        if options.gamma != 1:
            grey = (pixels / 255.0).clamp(0.0, 1.0)
            pixels = 255.0 * grey.pow(plan.gamma[:, None, None, None])
        gain = plan.gain[:, None, None, None]
        x = torch.addcmul(plan.offset[:, None, None, None] - gain, pixels, gain / 127.5)
        if options.noise:
            steps = torch.arange(x[0].numel(), device=faces.device)
            noise = self.pool[plan.noise_start[:, None] + steps].reshape(x.shape)
            x = torch.addcmul(x, noise, plan.noise[:, None, None, None])
        if options.erase:
            x = x.masked_fill(_inside(plan.box, size)[:, None], 0.0)
        return x


def warp(pixels: Tensor, matrix: Tensor) -> Tensor:
    """Resample faces, float32 (B, C, S, S), bilinearly with reflected borders.

    Args:
        pixels: The faces.
        matrix: float32 (B, 2, 3), from output (row, column, 1) to input (row, column).
    """
    size = pixels.shape[-1]
    # grid_sample counts from -1 at the left edge of the first pixel to 1 at the right edge
    # of the last; its "reflection" without aligned corners is SciPy's "reflect".
    scaled = matrix.flip(1) * (2.0 / size)  # (B, 2, 3), to x and y
    steps = torch.arange(size, device=pixels.device, dtype=pixels.dtype)
    rows = scaled[:, :, 0:1] * steps + (scaled[:, :, 2:3] + (1.0 / size - 1.0))  # (B, 2, S)
    columns = scaled[:, :, 1:2] * steps  # (B, 2, S)
    grid = (rows[:, :, :, None] + columns[:, :, None, :]).permute(0, 2, 3, 1)  # (B, S, S, 2)
    return functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)


def blur(pixels: Tensor, deviation: Tensor) -> Tensor:
    """Blur each face by a Gaussian of its own, with reflected borders.

    Rows and columns are blurred by a matrix product each, so every face of a batch may have
    another width.

    Args:
        pixels: float32 (B, C, S, S).
        deviation: float32 (B,), in pixels; 0 leaves a face as it is.
    """
    size = pixels.shape[-1]
    distances = torch.arange(2 * size, device=pixels.device)
    width = deviation.clamp(min=1e-3)[:, None]
    weights = torch.exp(-0.5 * (distances / width).square())  # (B, 2 S)
    weights = weights.masked_fill(weights < 1e-10, 0.0)  # denormal numbers are slow
    here, there = distances[:size, None], distances[None, :size]
    # A pixel, and its mirror images beyond the first and the last.
    kernel = weights[:, (here - there).abs()] + weights[:, here + there + 1]
    kernel += weights[:, 2 * size - 1 - here - there]
    kernel = (kernel / kernel.sum(dim=2, keepdim=True))[:, None]  # (B, 1, S, S)
    return kernel @ pixels @ kernel.transpose(2, 3)


def mix(x: Tensor, targets: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
    """Blend each face of a batch with its partner (mixup, Zhang et al. 2018, 1710.09412).

    The faces of places 0 and 1 of a batch are each other's partners, those of 2 and 3, and
    so on; an odd last one stays alone. So a face's partner follows from the epoch's order,
    and a batch that is cut into even micro-batches gives the same result.

    Args:
        x: float32 (B, C, S, S).
        targets: float32 (B, A) in [0, 1]; negative where missing.
        part: float32 (B,), the partner's share of each.

    Returns:
        The blended faces and targets; a label that is missing in one of a pair is missing.
    """
    places = torch.arange(len(x), device=x.device)
    partner = torch.minimum(places ^ 1, places[-1])
    theirs = targets[partner]
    blended = torch.lerp(targets, theirs, part[:, None])
    missing = (targets < 0) | (theirs < 0)
    mixed = torch.lerp(x, x[partner], part[:, None, None, None])
    return mixed, blended.masked_fill(missing, -1.0)


def normalise(faces: Tensor) -> Tensor:
    """uint8 (B, S, S) or (B, S, S, 3) to float32 (B, 1 or 3, S, S) in [-1, 1]."""
    return planes(faces).to(torch.float32) / 127.5 - 1.0


def _inside(box: Tensor, size: int) -> Tensor:
    """Bool (B, S, S): the pixels of each face's rectangle."""
    steps = torch.arange(size, device=box.device) + 0.5
    rows = (steps >= box[:, 0:1]) & (steps < box[:, 1:2])
    columns = (steps >= box[:, 2:3]) & (steps < box[:, 3:4])
    return rows[:, :, None] & columns[:, None, :]
