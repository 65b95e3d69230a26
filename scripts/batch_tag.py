"""Tag an archive: the same as `tagger archive`, with the same arguments."""

from __future__ import annotations

import sys

from tagger.cli import main

sys.exit(main(["archive", *sys.argv[1:]]))
