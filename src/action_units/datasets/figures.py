"""The figures of a run: one PNG file each, in a folder."""

import io
import math
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from PIL import Image

from action_units.datasets.verified import ImagePreview, VerifiedDataset, image_preview

_PNG = {
    "type": "matplotlib.MatplotlibDataset",
    "save_args": {"format": "png", "dpi": 144, "metadata": {"Software": None}},
}
_COLUMNS, _WIDTH = 3, 640  # of the preview


class FiguresDataset(AbstractDataset[dict[str, Any], dict[str, bytes]]):
    """Saves matplotlib figures by name, and loads them as PNG."""

    def __init__(
        self, *, path: str, files: dict[str, str], metadata: dict[str, Any] | None = None
    ) -> None:
        """Name the files.

        Args:
            path: The folder.
            files: The file of each figure, by the figure's name.
            metadata: Of Kedro-Viz.
        """
        self.path, self.files, self.metadata = Path(path), files, metadata

    def save(self, data: dict[str, Any]) -> None:
        """Write each figure whole."""
        for name, figure in data.items():
            self._file(name).save(figure)

    def load(self) -> dict[str, bytes]:
        """The figures, once their hashes have been found right."""
        return {name: self._file(name).read_bytes() for name in self.files}

    def preview(self) -> ImagePreview:
        """All figures on one sheet, for Kedro-Viz."""
        images = [Image.open(io.BytesIO(png)) for png in self.load().values()]
        tiles = [i.resize((_WIDTH, max(1, i.height * _WIDTH // i.width))) for i in images]
        height = max(tile.height for tile in tiles)
        rows = math.ceil(len(tiles) / _COLUMNS)
        sheet = Image.new("RGB", (_COLUMNS * _WIDTH, rows * height), "white")
        for k, tile in enumerate(tiles):
            sheet.paste(tile, (k % _COLUMNS * _WIDTH, k // _COLUMNS * height))
        buffer = io.BytesIO()
        sheet.save(buffer, "png")
        return image_preview(buffer.getvalue())

    def _file(self, name: str) -> VerifiedDataset:
        return VerifiedDataset(filepath=str(self.path / self.files[name]), dataset=_PNG)

    def _exists(self) -> bool:
        return all(self._file(name).exists() for name in self.files)

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self.path), "files": self.files}
