"""Records as a Parquet table, made of finished JSON lines (extra `parquet`)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from tagger.errors import OutputError
from tagger.readers.stores import NO_EXTRA

ROW_GROUP = 10_000
"""Records in a row group; bounds the memory."""


def check_parquet(out: object) -> None:
    """Raise OutputError where no table can be written for want of the extra, before the work is done."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise OutputError(f"{out} {NO_EXTRA}.") from None


def write_parquet(lines: Path, table: Path) -> None:
    """Write a table of the records of a file; the same records give the same bytes.

    Metadata may be anything, and stands as JSON text; all else has a column of its own type.
    """
    import pyarrow
    import pyarrow.parquet

    schema = _schema(pyarrow)
    with (
        lines.open("rb") as stream,
        pyarrow.parquet.ParquetWriter(table, schema, compression="zstd") as writer,
    ):
        while rows := list(_rows(islice(stream, ROW_GROUP))):
            writer.write_table(pyarrow.Table.from_pylist(rows, schema), row_group_size=ROW_GROUP)


def _rows(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        record = msgspec.json.decode(line)
        if "metadata" in record:
            record["metadata"] = msgspec.json.encode(record["metadata"]).decode()
        yield record


def _schema(pyarrow: Any) -> Any:
    text, number, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int64()
    tag = {
        "theme": text, "label": text, "probability": number, "threshold": number, "auto_threshold": number,
        "decision": text, "reason": text,
    }  # fmt: skip
    return pyarrow.schema(
        {
            "position": whole, "id": text, "title": text, "tags": pyarrow.list_(pyarrow.struct(list(tag.items()))),
            "version": text, "caution": text, "start": whole, "end": whole, "date": text, "date_precision": text,
            "office": text, "kind": text, "metadata": text, "content_hash": text, "error": text,
        }
    )  # fmt: skip
