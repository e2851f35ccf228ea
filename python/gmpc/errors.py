"""What can go wrong: one class for each exit code of the program `gmpc`, all of them :class:`Error`."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._gmpc import Diagnostic


class Error(Exception):
    """Something was not done.

    ``code`` is the code that ``gmpc explain`` has a page for, ``message`` one sentence, ``help`` one next step; ``file``, ``line`` and
    ``column`` (from 1) are the place, each ``None`` where there is none. ``diagnostics`` holds everything that was found, of which these
    are the first error.
    """

    #: What the program `gmpc` would exit with.
    exit_code: int = 1

    def __init__(self, first: Diagnostic, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("\n".join(str(diagnostic) for diagnostic in diagnostics))
        self.code = first.code
        self.message = first.message
        self.help = first.help
        self.file = first.file
        self.line = first.line
        self.column = first.column
        self.diagnostics = tuple(diagnostics)


class SourceError(Error):
    """The `.gmpnet` file is wrong."""


class UsageError(Error):
    """What was asked for makes no sense."""

    exit_code = 2


class DataError(Error):
    """Data are missing, damaged, or not what they are declared as."""

    exit_code = 3


class DivergedError(Error):
    """A number in training was not finite."""

    exit_code = 4


class DeviceError(Error):
    """The device could not run a program."""

    exit_code = 5


class InputOutputError(Error):
    """Reading or writing a file failed, or a run folder is none."""

    exit_code = 6


class InternalError(Error):
    """A mistake of gmpc itself: please report it."""

    exit_code = 70


class Note(UserWarning):
    """Something worth telling that stopped nothing; `diagnostic` has its parts."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(str(diagnostic))
        self.diagnostic = diagnostic


def warn(diagnostic: Diagnostic) -> None:
    """Warns for the line that called the package."""
    here, depth = os.path.dirname(__file__), 1
    frame = sys._getframe(0).f_back
    # The first frame outside of the package is the user's.
    while frame is not None and os.path.dirname(frame.f_code.co_filename) == here:
        frame, depth = frame.f_back, depth + 1
    warnings.warn(Note(diagnostic), stacklevel=depth + 1)
