"""Train a new version on the seeds: the same as `tagger train`, with the same options."""

from __future__ import annotations

import sys

from tagger.cli import main

sys.exit(main(["train", *sys.argv[1:]]))
