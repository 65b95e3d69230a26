"""The errors tagger raises on purpose.

TaggerError
├── InputError          what was given cannot be used
│   ├── SeedsError      the seeds or the theme cards have problems (all of them listed)
│   └── OptionError     an option or a combination of options makes no sense
├── OutputError         a result cannot be written
├── ModelError          a version cannot be used
│   ├── NoLiveVersion   nothing has been trained or promoted yet
│   ├── UnknownVersion  there is no version of that name
│   └── DamagedVersion  a file of the version is missing, altered or of another time
└── ServiceError        the service cannot start

A message gives the received value, what was expected and the remedy, and reads as a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence


class TaggerError(Exception):
    """Something tagger reports in one message, never as a traceback."""


class InputError(TaggerError):
    """What was given cannot be used."""


class SeedsError(InputError):
    """The seeds or the theme cards have problems; `problems` holds one sentence for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class OptionError(InputError):
    """An option or a combination of options makes no sense."""


class OutputError(TaggerError):
    """A result cannot be written."""


class ModelError(TaggerError):
    """A version cannot be used."""


class NoLiveVersion(ModelError):
    """Nothing has been trained or promoted yet."""


class UnknownVersion(ModelError):
    """There is no version of that name."""


class DamagedVersion(ModelError):
    """A file of the version is missing, altered or made by a tagger that scores otherwise."""


class ServiceError(TaggerError):
    """The service cannot start."""
