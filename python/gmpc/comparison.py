"""What a comparison gave, as columns."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: Columns of equal length by name: what ``pandas.DataFrame`` takes.
Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Comparison:
    """Cells side by side. Each of the three is a table that ``pandas.DataFrame(...)`` takes as it is."""

    #: A row for each run: ``param``, every axis, ``seed``, ``test.rmse`` and the other figures, ``epochs``, ``seconds``, ``error``.
    runs: Columns
    #: A row for each combination: ``param``, every axis, ``metric``, ``n``, ``mean``, ``stderr``, ``best``, ``standing``.
    cells: Columns
    #: With a baseline a row for each difference to it, seed by seed: ``mean``, ``low``, ``high``, ``p_holm``. Else empty.
    differences: Columns
    #: All tables with their remarks, as Markdown: what a notebook shows.
    markdown: str

    def __str__(self) -> str:
        return self.markdown

    def _repr_markdown_(self) -> str:
        return self.markdown

    @classmethod
    def of(cls, runs: Iterable[str], lines: Iterable[str], markdown: str) -> Comparison:
        """From lines of JSON."""
        events = [json.loads(line) for line in lines]
        return cls(
            runs=_columns(_flat(json.loads(line)) for line in runs),
            cells=_columns(_flat(event) for event in events if event["event"] == "cell"),
            differences=_columns(_flat(event) for event in events if event["event"] == "difference"),
            markdown=markdown,
        )


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose axes and figures are columns of their own."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("over", "figures"):
            flat.update(value)
        elif key != "event":
            flat[key] = value
    return flat


def _columns(rows: Iterable[dict[str, Any]]) -> Columns:
    """Every key of any row, in the order of their first appearance; ``None`` where a row has none."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}
