"""The compiled part. Use the package `gmpc`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION: str

class Label:
    """A place with a remark."""

    file: str
    line: int
    column: int
    message: str

class Diagnostic:
    """One error or warning about a `.gmpnet` file, data or a run; `str()` draws it with its lines."""

    severity: str
    code: str | None
    message: str
    help: str | None
    file: str | None
    line: int | None
    column: int | None
    labels: list[Label]
    text: str

class Run:
    def __new__(cls, path: str, data_dir: str | None, threads: int | None) -> Run: ...
    @property
    def path(self) -> str: ...
    @property
    def about(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def result(self) -> str: ...
    def predict_numbers(self, x: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def predict_images(self, x: NDArray[np.uint8]) -> NDArray[np.float64]: ...
    def classes_of(self, predictions: NDArray[np.float64]) -> list[str]: ...
    def curves(self) -> dict[str, NDArray[np.float64]]: ...
    def weights(self) -> dict[str, NDArray[np.float64]]: ...

def check(asked: dict[str, Any]) -> list[Diagnostic]: ...
def train(asked: dict[str, Any]) -> tuple[str, str]: ...
def compare(asked: dict[str, Any]) -> tuple[list[str], list[str], str]: ...
