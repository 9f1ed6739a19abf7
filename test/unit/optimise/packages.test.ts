import { describe, expect, it } from 'vitest';
import { type Built, build } from '../../support/packages.ts';

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
