"""Trains the model that Predictions loads, on orders that the script makes up, and writes it beside the function.

Run it with the versions that the layers ship, since a pickled model belongs to its scikit-learn:

    uv run --no-project --python 3.11 --with-requirements layers/ml-libraries/requirements.txt \
        --with-requirements layers/core-data-science/requirements.txt scripts/train_model.py
"""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TARGET = Path(__file__).parent.parent / "functions" / "predictions" / "model.joblib"


def orders(count=2000):
    random = np.random.default_rng(7)
    level = random.uniform(5, 40, count)
    month = random.integers(1, 13, count)
    season = 1 + 0.15 * np.sin(2 * np.pi * (month - 3) / 12)
    frame = pd.DataFrame(
        {
            "mean": level,
            "deviation": level / 10 * random.uniform(0.5, 1.5, count),
            "recent": level * random.normal(1, 0.05, count),
            "month": month,
        }
    )
    return frame, 0.4 * level + 0.6 * frame["recent"] * season + random.normal(0, 0.5, count)


def main():
    features, quantity = orders()
    model = make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=60, max_depth=3, random_state=7))
    model.fit(features, quantity)
    joblib.dump(model, TARGET, compress=3)
    print(f"R2 {model.score(features, quantity):.4f}, {TARGET.stat().st_size} bytes")


main()
