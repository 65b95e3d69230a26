"""The errors tagger raises on purpose.

TaggerError
├── InputError          what was given cannot be used
│   ├── SeedsError      the seeds or the theme cards have problems (all of them listed)
│   ├── OptionError     an option or a combination of options makes no sense
│   └── UnknownJob      there is no job of that id, or no more
├── OutputError         a result cannot be written
├── ModelError          a version cannot be used
│   ├── NoLiveVersion   nothing has been trained or promoted yet
│   ├── UnknownVersion  there is no version of that name
│   ├── DamagedVersion  a file of the version is missing, altered or of another time
│   │   └── OutdatedVersion  it was saved by a tagger that this one does not understand
│   ├── OtherLive       another promotion was faster
│   └── PromotionRefused  the version is worse than the live one in some way (all objections listed)
├── KeysError           the file of keys is damaged or cannot be read
├── ServiceError        the service cannot start
└── Overloaded          the service has too much to do

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


class UnknownJob(InputError):
    """There is no job of that id, or no more."""


class OutputError(TaggerError):
    """A result cannot be written."""


class ModelError(TaggerError):
    """A version cannot be used: what was `found`, and the `remedy` where it is told apart."""

    def __init__(self, found: str, remedy: str = "") -> None:
        self.found, self.remedy = found, remedy
        super().__init__(f"{found} {remedy}".rstrip())


class NoLiveVersion(ModelError):
    """Nothing has been trained or promoted yet."""


class UnknownVersion(ModelError):
    """There is no version of that name."""


class DamagedVersion(ModelError):
    """A file of the version is missing, altered or made by a tagger that scores otherwise."""


class OutdatedVersion(DamagedVersion):
    """The version was saved by a tagger that this one does not understand."""


class OtherLive(ModelError):
    """Another promotion was faster."""


class PromotionRefused(ModelError):
    """The version is worse than the live one in some way; `objections` holds one sentence for each."""

    def __init__(self, found: str, remedy: str, objections: Sequence[str]) -> None:
        self.objections = tuple(objections)
        super().__init__(found, remedy)


class KeysError(TaggerError):
    """The file of keys is damaged or cannot be read."""


class ServiceError(TaggerError):
    """The service cannot start."""


class Overloaded(TaggerError):
    """The service has too much to do."""
