"""Answers GET /predict with the number of items that a customer is expected to order from a facility next."""

import hashlib
import json
import logging
import os
from datetime import datetime, timezone
from pathlib import Path

import boto3
import joblib
import numpy as np
import pandas as pd

logger = logging.getLogger()
logger.setLevel(logging.INFO)

MODEL = joblib.load(Path(__file__).parent / "model.joblib")
bedrock = boto3.client("bedrock-runtime")


def answer(status, body):
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}


def history_of(customer, facility):
    """Stands for a look-up of past orders: the same two names always give the same twelve weeks."""
    seed = int.from_bytes(hashlib.sha256(f"{customer}/{facility}".encode()).digest()[:4], "big")
    random = np.random.default_rng(seed)
    level = random.uniform(5, 40)
    weeks = pd.date_range("2024-01-01", periods=12, freq="W", tz="UTC")
    return pd.Series(level + random.normal(0, level / 10, len(weeks)), index=weeks).clip(lower=0)


def features_of(history):
    recent = history.rolling(4).mean().iloc[-1]
    return pd.DataFrame(
        [{"mean": history.mean(), "deviation": history.std(), "recent": recent, "month": history.index[-1].month}]
    )


def explain(prediction):
    """A sentence by the model of BedrockModelId; only for those who ask, since it costs."""
    prompt = f"In one sentence, explain a forecast of {prediction} items."
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": [{"role": "user", "content": prompt}]}
    response = bedrock.invoke_model(modelId=os.environ["BEDROCK_MODEL_ID"], body=json.dumps(body))
    return json.loads(response["body"].read())["content"][0]["text"]


def handler(event, context):
    query = event.get("queryStringParameters") or {}
    missing = [name for name in ("customerId", "facilityId") if not query.get(name)]
    if missing:
        return answer(400, {"message": f"missing query parameter: {', '.join(missing)}"})
    history = history_of(query["customerId"], query["facilityId"])
    prediction = round(float(MODEL.predict(features_of(history))[0]), 2)
    body = {
        "customerId": query["customerId"],
        "facilityId": query["facilityId"],
        "prediction": prediction,
        "unit": "items",
        "basedOnWeeks": len(history),
        "answeredAt": datetime.now(timezone.utc).isoformat(),
    }
    if query.get("explain") == "true":
        body["explanation"] = explain(prediction)
    logger.info("predicted %s for %s at %s", prediction, query["customerId"], query["facilityId"])
    return answer(200, body)
