import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../../core/build/manifest.ts';
import { findPython } from '../../../core/build/uv.ts';
import { decidedPlan, Workspace } from '../../../core/build/workspace.ts';
import { loadProject } from '../../../core/project/project.ts';
import { planProject } from '../../../core/release/plan.ts';
import { writeProject } from '../../support/project.ts';

const template = (runtime: string, architecture: string) => `Transform: AWS::Serverless-2016-10-31
Resources:
  AllLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: { BuildMethod: ${runtime} }
    Properties: { ContentUri: layer/ }
  Use:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: use/
      Handler: app.handler
      Runtime: ${runtime}
      Architectures: [${architecture}]
      Layers: [!Ref AllLayer]
`;

interface Built {
  layer: Manifest;
  steps: string[];
}

/** Builds a project of one layer and one function, workloads and proofs included. */
async function build(
  requirements: string,
  app: string,
  runtime = 'python3.11',
  architecture = 'x86_64',
): Promise<Built> {
  const root = await writeProject({
    'template.yaml': template(runtime, architecture),
    'layer/requirements.txt': requirements,
    'use/app.py': app,
    'use/smoke/all.json': '{"event": {"n": 3}, "expect": {"ok": true}}',
  });
  try {
    const folder = join(root, '.plimsoll');
    const planned = await planProject(await loadProject(root));
    const steps: string[] = [];
    const { plan, units } = await decidedPlan(root, planned, folder, (step) => steps.push(step));
    const workspace = new Workspace(root, plan, folder, { step: () => {}, done: () => {} }, units);
    await workspace.layers();
    await workspace.functions();
    const layer = workspace.artifacts.get('all')?.manifest;
    if (!layer) throw new Error('no layer was built');
    return { layer, steps };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const putBack = ({ layer }: Built) =>
  layer.steps.flatMap(({ step, putBack: back }) => back.map(({ path }) => `${step}: ${path}`));

describe('packages that no rule knows', () => {
  it('are traced, trimmed and proven: pyarrow, pillow, lxml, cryptography, pydantic, requests', async () => {
    const app = `import io
import lxml.etree
import pyarrow
import pyarrow.parquet
import requests
from cryptography.fernet import Fernet
from PIL import Image
from pydantic import BaseModel


class Item(BaseModel):
    n: int


def handler(event, context):
    item = Item.model_validate(event)
    table = pyarrow.table({"n": [item.n] * 4})
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    key = Fernet(Fernet.generate_key())
    tree = lxml.etree.fromstring("<a><b>3</b></a>")
    url = requests.Request("GET", "https://example.org", params={"q": "1"}).prepare().url
    checks = [
        pyarrow.parquet.read_table(io.BytesIO(sink.getvalue())).num_rows == 4,
        Image.open(io.BytesIO(picture.getvalue())).size == (8, 8),
        key.decrypt(key.encrypt(b"x")) == b"x",
        tree.findtext("b") == "3",
        url == "https://example.org/?q=1",
    ]
    return {"ok": all(checks)}
`;
    const built = await build('pyarrow\npillow\nlxml\ncryptography\npydantic\nrequests\n', app);
    expect(built.layer.bytes).toBeLessThan(0.7 * built.layer.installedBytes);
    expect(putBack(built)).toEqual([]);
    expect(built.layer.imports.map(({ module }) => module)).toEqual(
      expect.arrayContaining(['pyarrow', 'PIL', 'lxml', 'cryptography', 'pydantic', 'requests']),
    );
  });
});

const hasPython = (version: string) =>
  findPython(version, tmpdir()).then(
    () => true,
    () => false,
  );

const versions = await Promise.all(
  ['3.11', '3.12', '3.13'].map(async (version) => ({ version, found: await hasPython(version) })),
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

describe('other targets', () => {
  it('arm64: rules and the loader decide alone, and every library is for arm64', async () => {
    const { layer, steps } = await build(
      'numpy==1.24.3\npandas==2.0.3\n',
      'def handler(event, context):\n    return {"ok": True}\n',
      'python3.11',
      'arm64',
    );
    expect(layer).toMatchObject({ architectures: ['arm64'], runtimes: ['python3.11'], imports: [] });
    expect(layer.notes[0]).toMatch(/imports not checked/);
    expect(steps).toContain('native');
    const natives = layer.files.map(([path]) => path).filter((path) => path.includes('.cpython-'));
    expect(natives.length).toBeGreaterThan(20);
    for (const path of natives) expect(path).toMatch(/cpython-311-aarch64/);
  });
});
