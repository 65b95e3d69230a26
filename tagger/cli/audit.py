"""`tagger models audit` and `sign`: whether a version is what it says, and vouching for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tagger.cli.options import Json, Models

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tagger.registry import Version

TOLERANCE = 1e-5
"""The arrays hold weights in single precision."""


def audit(version: str | None = None, /, *, json: Json = None, models: Models = Path("models")) -> int:
    """Open the fitted estimator of a version (the live one if none is named): does it score as the arrays do?

    This runs code that the file holds, after its digest was checked; nothing else ever opens it. Audit only versions
    that you trained, or that are signed. The exit code is 1 where the scores differ.

    Example: tagger models audit v0001
    """
    from tagger.cli import output
    from tagger.registry import Registry
    from tagger.tagging import Tagger

    registry = Registry(models)
    found = registry.live() if version is None else registry.get(version)
    tagger = Tagger.load(found)
    output.say(f"Opening {found.name}/pipeline.joblib, which is as it was saved. This runs code that the file holds.")
    texts = [canary["text"] for canary in found.manifest["canaries"]]
    difference = float(abs(_estimated(found, texts) - [tagger.scorer.scores(text) for text in texts]).max())
    same = difference <= TOLERANCE
    if output.as_json(json):
        output.write_json_lines([{"version": found.name, "texts": len(texts), "difference": difference, "same": same}])
    else:
        said = "the same scores" if same else "other scores"
        output.write(f"{found.name}: {said} on {len(texts)} known texts; the largest difference is {difference:.1e}.")
    return int(not same)


def sign(version: str, /, *, models: Models = Path("models")) -> int:
    """Sign a version that was saved before the signing key was there, after checking its files.

    The environment names the file of the key: TAGGER_SIGNING_KEY_FILE.

    Example: tagger models sign v0001
    """
    from tagger.cli.output import say
    from tagger.registry import Registry

    say(f"{Registry(models).sign(version).name} is signed.")
    return 0


def _estimated(version: Version, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the scores of the pickled estimator: of exactly the bytes whose digest was checked."""
    import hashlib
    import io

    import joblib
    import numpy as np

    from tagger.errors import DamagedVersion
    from tagger.files import read_plain
    from tagger.training import PIPELINE

    try:
        content = read_plain(version.folder / PIPELINE)
        if hashlib.sha256(content).hexdigest() != version.manifest["files"].get(PIPELINE):
            raise ValueError("it changed after it was checked")
        return np.asarray(joblib.load(io.BytesIO(content)).decision_function(texts))
    except Exception as error:  # a pickle may fail in any way
        found = f"{PIPELINE} of version {version.name} is no estimator that scores texts ({error})."
        raise DamagedVersion(found, "Train again: tagger train") from error
