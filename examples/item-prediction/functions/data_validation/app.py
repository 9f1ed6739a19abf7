"""Checks a batch of orders: schema, missing values, outliers and dates, and says which rows may be used."""

import json
import os

import boto3
import numpy as np
import pandas as pd
from dateutil import parser as dates

COLUMNS = {"customerId": "string", "facilityId": "string", "orderedAt": "string", "quantity": "float64"}

s3 = boto3.client("s3")


def load(event):
    """Rows come in the event, or from an object that it names."""
    if "rows" in event:
        return event["rows"]
    body = s3.get_object(Bucket=event["bucket"], Key=event["key"])["Body"]
    return json.loads(body.read())


def parse_date(text):
    try:
        return dates.isoparse(text)
    except (ValueError, TypeError):
        return pd.NaT


def problems_of(frame):
    quantity = frame["quantity"]
    q1, q3 = np.nanpercentile(quantity, [25, 75])
    spread = max(q3 - q1, 1.0)
    return pd.DataFrame(
        {
            "missing": frame[list(COLUMNS)].isna().any(axis=1),
            "negative": quantity < 0,
            "outlier": (quantity > q3 + 3 * spread) | (quantity < q1 - 3 * spread),
            "date": pd.to_datetime(frame["orderedAt"].map(parse_date), utc=True, errors="coerce").isna(),
            "duplicate": frame.duplicated(["customerId", "facilityId", "orderedAt"]),
        }
    )


def handler(event, context):
    frame = pd.DataFrame(load(event)).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    problems = problems_of(frame)
    bad = problems.any(axis=1)
    summary = frame[~bad].groupby("facilityId")["quantity"].agg(["count", "mean"]).round(3)
    return {
        "environment": os.environ["ENVIRONMENT"],
        "rows": len(frame),
        "valid": int((~bad).sum()),
        "problems": {name: [int(i) for i in np.flatnonzero(column)] for name, column in problems.items()},
        "facilities": json.loads(summary.to_json(orient="index")),
    }
