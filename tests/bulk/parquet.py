#!/usr/bin/env python3
"""Parquet files that another program, pyarrow, writes and reads.

parquet.py write FILE   writes tests/bulk/sales.parquet, which a test of src/bulk/parquet reads
parquet.py read FILE    prints the rows of a file, for instance of `keyspaces export`, as JSON Lines

Needs `pip install pyarrow`. CI does not run it: the file is checked in.
"""

import datetime
import decimal
import json
import sys

import pyarrow
import pyarrow.parquet

UTC = datetime.timezone.utc


def sales():
    """Three rows: ordinary values, extreme values, and nulls."""
    text = pyarrow.string()
    address = pyarrow.struct([("street", text), ("zip", pyarrow.list_(pyarrow.int32()))])
    return pyarrow.table({
        "id": pyarrow.array([1, 2, 3], pyarrow.int32()),
        "name": pyarrow.array(["a", "", None], text),
        "price": pyarrow.array([decimal.Decimal("1.50"), decimal.Decimal("-0.01"), None], pyarrow.decimal128(10, 2)),
        "sold": pyarrow.array(
            [
                datetime.datetime(2026, 1, 31, 13, 30, 54, 123000, tzinfo=UTC),
                datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
                None,
            ],
            pyarrow.timestamp("us", tz="UTC"),
        ),
        "local": pyarrow.array([datetime.datetime(2026, 1, 31, 13, 30), None, None], pyarrow.timestamp("ns")),
        "day": pyarrow.array([datetime.date(2026, 1, 31), datetime.date(1969, 12, 31), None], pyarrow.date32()),
        "hour": pyarrow.array([datetime.time(13, 30, 54, 123456), datetime.time(0), None], pyarrow.time64("us")),
        "small": pyarrow.array([255, 0, None], pyarrow.uint8()),
        "ratio": pyarrow.array([0.1, float("-inf"), None], pyarrow.float64()),
        "flag": pyarrow.array([True, False, None], pyarrow.bool_()),
        "raw": pyarrow.array([b"\xca\xfe", b"", None], pyarrow.binary()),
        "key": pyarrow.array([bytes(range(16)), bytes(range(16, 32)), None], pyarrow.binary(16)),
        "tags": pyarrow.array([["x", "y"], [], None], pyarrow.list_(text)),
        "counts": pyarrow.array([[("x", 1), ("y", 2)], [], None], pyarrow.map_(text, pyarrow.int64())),
        "address": pyarrow.array(
            [{"street": "Main", "zip": [1, 2]}, {"street": None, "zip": None}, None],
            address,
        ),
        "json": pyarrow.array(['{"a": 1}', "{}", None], text),
    })


def main(verb, path):
    if verb == "write":
        # Two row groups.
        pyarrow.parquet.write_table(sales(), path, row_group_size=2)
    else:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            # Python's times have no nanoseconds.
            times = [pyarrow.types.is_time64(field.type) for field in batch.schema]
            columns = [column.cast(pyarrow.string()) if is_time else column for column, is_time in zip(batch.columns, times)]
            for row in pyarrow.table(columns, names=batch.schema.names).to_pylist():
                print(json.dumps(row, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
