"""A trained network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from . import _gmpc


class Run:
    """A run folder with the weights that the run ended with. Made by :func:`gmpc.train` and :func:`gmpc.load`."""

    def __init__(self, inner: _gmpc.Run) -> None:
        self._inner = inner
        self._about: dict[str, Any] = json.loads(inner.about)

    def __repr__(self) -> str:
        about = self._about
        return f"<gmpc run {str(self.path)!r}: {about['model']}, param {about['param']}, data {about['data']}>"

    @property
    def path(self) -> Path:
        """The run's folder."""
        return Path(self._inner.path)

    @property
    def about(self) -> dict[str, Any]:
        """``run.json``: versions, seed, device, data, and what a row is."""
        return self._about

    @property
    def source(self) -> str:
        """The `.gmpnet` file with every override applied."""
        return self._inner.source

    @property
    def result(self) -> dict[str, Any] | None:
        """``test.rmse`` and the other figures of the run's end; ``None`` before it has ended."""
        found: dict[str, Any] | None = json.loads(self._inner.result)
        return found

    @property
    def features(self) -> list[str]:
        """Names of the input columns, in the order of :meth:`predict`; empty where the data have none."""
        return list(self._about["inputs"]["feature_names"])

    @property
    def targets(self) -> list[str]:
        """Names of the target columns; empty where the data have none."""
        return list(self._about["inputs"]["target_names"])

    @property
    def classes(self) -> list[str]:
        """Names of the classes; empty for regression."""
        return list(self._about["inputs"]["labels"])

    def predict(self, x: ArrayLike) -> NDArray[np.float64]:
        """Predictions ``[rows, outputs]``, in the units of the data; scores before the softmax for classes.

        x: ``[rows, features]`` as the numbers stand in the data: they are scaled as the run's were. Of images
        ``[images, channels, height, width]`` of bytes (``uint8``), 0 to 255, which go through the run's `transform`.

        Python's lock is released meanwhile. One run predicts for one caller at a time; programs are kept for each number of rows.
        """
        if len(self._about["inputs"]["shape"]) == 3:
            return self._inner.predict_images(_bytes(x))
        rows = np.ascontiguousarray(x, dtype=np.float64)
        if rows.ndim != 2:
            raise ValueError(f"rows have the shape [rows, features], and these have {list(rows.shape)}")
        return self._inner.predict_numbers(rows)

    def predict_class(self, x: ArrayLike) -> NDArray[np.str_]:
        """The name of the most likely class of each row."""
        if not self.classes:
            raise ValueError("the run is a regression: it has no classes")
        return np.array(self._inner.classes_of(self.predict(x)), dtype=np.str_)

    def predict_probabilities(self, x: ArrayLike) -> NDArray[np.float64]:
        """Probabilities ``[rows, classes]``, in the order of :attr:`classes`."""
        if not self.classes:
            raise ValueError("the run is a regression: it has no classes")
        scores = self.predict(x)
        if scores.shape[1] == 1:
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return result

    @property
    def curves(self) -> dict[str, NDArray[np.float64]]:
        """Each figure over the epochs, ``{"epoch": …, "lr": …, "train.loss": …, "valid.rmse": …}``; NaN where one was not measured.

        ``pandas.DataFrame(run.curves)`` is a table.
        """
        return self._inner.curves()

    @property
    def boundaries(self) -> dict[str, NDArray[np.float32]]:
        """Where units switch, over training, if it was recorded: by layer ``[records, fan_in + 1, units]``.

        Of each unit a record holds its direction and below it the signed distance of its boundary from the origin. Files are mapped, not read.
        """
        folder = self.path / "boundaries"
        return {file.stem: np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy"))}

    @property
    def weights(self) -> dict[str, NDArray[np.float64]]:
        """Every parameter and statistic that the run ended with, by its name: ``hidden.theta``."""
        return self._inner.weights()


def _bytes(x: ArrayLike) -> NDArray[np.uint8]:
    images = np.asarray(x)
    if images.dtype != np.uint8:
        raise TypeError(f"images are bytes (uint8) from 0 to 255, and these are {images.dtype}")
    if images.ndim != 4:
        raise ValueError(f"images have the shape [images, channels, height, width], and these have {list(images.shape)}")
    return np.ascontiguousarray(images)
