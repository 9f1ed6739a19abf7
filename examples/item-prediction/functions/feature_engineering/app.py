"""Turns a customer's orders at a facility into the features that the model was trained on."""

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.preprocessing import StandardScaler

FEATURES = ["orders", "mean", "deviation", "trend", "recency", "weekend"]


def features_of(orders):
    orders = orders.sort_values("orderedAt")
    quantity = orders["quantity"].to_numpy(dtype=float)
    days = (orders["orderedAt"] - orders["orderedAt"].min()).dt.total_seconds().to_numpy() / 86_400
    trend = stats.linregress(days, quantity).slope if len(np.unique(days)) > 1 else 0.0
    return pd.Series(
        {
            "orders": float(len(orders)),
            "mean": quantity.mean(),
            "deviation": stats.tstd(quantity) if len(quantity) > 1 else 0.0,
            "trend": trend,
            "recency": days[-1],
            "weekend": (orders["orderedAt"].dt.dayofweek >= 5).mean(),
        }
    )


def handler(event, context):
    frame = pd.DataFrame(event["rows"])
    frame["orderedAt"] = pd.to_datetime(frame["orderedAt"], utc=True)
    keys = ["customerId", "facilityId"]
    features = pd.DataFrame({key: features_of(group) for key, group in frame.groupby(keys)}).T
    scaled = StandardScaler().fit_transform(features[FEATURES])
    return {
        "features": [
            {"customerId": customer, "facilityId": facility, **{name: round(float(row[name]), 6) for name in FEATURES}}
            for (customer, facility), row in features.iterrows()
        ],
        "scaledMean": [round(abs(float(value)), 6) for value in scaled.mean(axis=0)],
    }
