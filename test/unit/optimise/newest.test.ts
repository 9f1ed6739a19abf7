import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { findPython } from '../../../core/build/uv.ts';
import { isLong } from '../../support/long.ts';
import { build } from '../../support/packages.ts';

const hasPython = (version: string) =>
  findPython(version, tmpdir()).then(
    () => true,
    () => false,
  );

const versions = await Promise.all(
  (isLong ? ['3.11', '3.12', '3.13'] : ['3.11']).map(async (version) => ({
    version,
    found: await hasPython(version),
  })),
);

describe('the newest releases', () => {
  it.for(versions)(
    'of pandas, numpy, scipy, scikit-learn and boto3 build and pass on $version',
    async ({ version, found }, { skip }) => {
      skip(!found, `no Python ${version} on this machine`);
      const app = `import boto3
import numpy as np
import pandas as pd
import scipy.stats
from sklearn.ensemble import RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def handler(event, context):
    n = event["n"]
    frame = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40.0) * n})
    model = make_pipeline(StandardScaler(), RandomForestRegressor(n_estimators=5, random_state=0)).fit(frame[["x"]], frame["y"])
    client = boto3.client("s3")
    slope = scipy.stats.linregress(frame["x"], frame["y"]).slope
    inverse = np.linalg.inv(np.eye(3) * n)
    return {"ok": bool(model.predict(frame[["x"]])[0] >= 0 and abs(slope - n) < 1e-9 and client and inverse[0, 0] > 0)}
`;
      const built = await build('pandas\nnumpy\nscipy\nscikit-learn\nboto3\n', app, `python${version}`);
      expect(built.layer.bytes).toBeLessThan(0.6 * built.layer.installedBytes);
      expect(built.layer.runtimes).toEqual([`python${version}`]);
      const bytecode = built.layer.files.map(([path]) => path).filter((path) => path.endsWith('.pyc'));
      expect(bytecode.length).toBe(built.layer.bytecode.compiled);
    },
  );
});
