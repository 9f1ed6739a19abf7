import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listTree } from '../../../core/build/tree.ts';
import { findPython } from '../../../core/build/uv.ts';
import { writeZip } from '../../../core/build/zip.ts';
import { addFinder, type Fetch, HOOK, isHooked, listRemoved } from '../../../core/optimise/finder.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-finder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A tree of these files from which `removed` is gone, with the finder in it. */
async function tree(
  name: string,
  files: Record<string, string>,
  removed: string[],
  fetch?: Fetch,
): Promise<string> {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), isHooked(path) ? text + HOOK : text);
  }
  await addFinder(root, Object.keys(files));
  await listRemoved(root, name, removed, fetch);
  return root;
}

async function python(roots: string[], code: string): Promise<string> {
  const program = `import sys; sys.path[:0] = ${JSON.stringify(roots)}\n${code}`;
  return (
    await promisify(execFile)(await findPython('3.11', folder), ['-I', '-S', '-B', '-c', program])
  ).stdout.trim();
}

describe('what was removed can be fetched', () => {
  /** A stand-in for S3 that holds one object, or fails: what a function cannot reach. */
  const boto3 = (body: string) =>
    `import io\nclass Client:\n    def get_object(self, **_):\n        ${body}\ndef client(name): return Client()\n`;
  const content = async (files: Record<string, string>) => {
    const root = join(folder, 'removed');
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    const zip = join(folder, 'removed.zip');
    const { sha256 } = await writeZip(root, Object.keys(files), zip);
    return { zip, sha256 };
  };
  const asking = (roots: string[], code: string) =>
    python(
      roots,
      `import os, tempfile; tempfile.tempdir = ${JSON.stringify(folder)}; os.environ["PLIMSOLL_ARTIFACT_BUCKET"] = "b"\ntry:\n    ${code}\nexcept ImportError as error:\n    print(error, repr(error.__cause__))`,
    );

  it('into a folder of its own, once, and the package goes on with it', async () => {
    const { zip, sha256 } = await content({
      'p/gone.py': 'from p.sub.more import X\n',
      'p/sub/__init__.py': '',
      'p/sub/more.py': 'X = 7\n',
    });
    const core = await tree(
      'core',
      {
        'p/__init__.py': '',
        'p/sub/kept.py': 'Y = 8\n',
        'p.libs/libz.so.1': 'library',
        'boto3.py': boto3(`print("asked"); return {"Body": open(${JSON.stringify(zip)}, "rb")}`),
      },
      ['p/gone.py', 'p/sub/__init__.py', 'p/sub/more.py'],
      { key: 'k', sha256 },
    );
    const said = await asking([core], 'import p.gone, p.sub.kept; print(p.gone.X, p.sub.kept.Y)');
    expect(said.split('\n').filter((line) => !line.startsWith('{'))).toEqual(['asked', '7 8']);
    // The same sandbox asks nobody a second time.
    const again = await asking([core], 'import p.gone; print(p.gone.X)');
    expect(again.split('\n').filter((line) => !line.startsWith('{'))).toEqual(['7']);
    const unpacked = join(folder, `plimsoll-removed-${sha256.slice(0, 16)}`);
    expect(await readFile(join(unpacked, 'p.libs', 'libz.so.1'), 'utf8')).toBe('library');
  });

  it.each([
    [
      'when it is not what the layer names',
      'return {"Body": io.BytesIO(b"forged")}',
      /k is not what was removed from core: its hash is another one/,
    ],
    [
      'when S3 does not answer',
      'raise RuntimeError("AccessDenied")',
      /It could not be fetched: RuntimeError: AccessDenied\. To keep it/,
    ],
    [
      'when the fetching itself misses something that was removed',
      'import p.gone',
      /p\.gone was removed from core/,
    ],
  ])('but not %s', async (_, body, message) => {
    const { sha256 } = await content({ 'p/gone.py': 'X = 7\n' });
    const core = await tree('core', { 'p/__init__.py': '', 'boto3.py': boto3(body) }, ['p/gone.py'], {
      key: 'k',
      sha256,
    });
    expect(await asking([core], 'import p.gone; print("loaded")')).toMatch(message);
  });
});

describe('a module that was removed and is asked for after all', () => {
  it('is named, with its artifact and the way to keep it, and counted', async () => {
    const core = await tree('core', { 'p/__init__.py': '' }, ['p/gone.py', 'p/data.bin']);
    const ml = await tree('ml', { 'q/__init__.py': 'X = 1' }, [
      'q/sub/gone.cpython-311-x86_64-linux-gnu.so',
      'q/sub/__init__.py',
    ]);
    const said = (name: string) =>
      python(
        [core, ml],
        `import p, q\ntry:\n    import ${name}\nexcept ImportError as error:\n    print(type(error).__name__, error.name, error)`,
      );
    const [metric = '', message = ''] = (await said('p.gone')).split('\n');
    expect(message).toBe(
      'ModuleNotFoundError p.gone p.gone was removed from core by plimsoll, since no workload had used it. To keep it, add a smoke event that uses it, or to plimsoll.yaml optimise: { keep: [p.gone] }, and run: plimsoll deploy',
    );
    expect(JSON.parse(metric)).toMatchObject({
      _aws: {
        CloudWatchMetrics: [
          {
            Namespace: 'Plimsoll',
            Dimensions: [['Artifact']],
            Metrics: [{ Name: 'RemovedModules', Unit: 'Count' }],
          },
        ],
      },
      Artifact: 'core',
      Module: 'p.gone',
      RemovedModules: 1,
    });
    expect(await said('q.sub.gone')).toContain('q.sub was removed from ml');
  });

  it('is told from one that was never there', async () => {
    const core = await tree('core', { 'p/__init__.py': '' }, ['p/gone.py']);
    expect(
      await python(
        [core],
        'import p\ntry:\n    import p.never\nexcept ImportError as error:\n    print(error)',
      ),
    ).toBe("No module named 'p.never'");
  });

  it('costs nothing where nothing is asked for: the lists are not read', async () => {
    const core = await tree('core', { 'p/__init__.py': '', 'p/here.py': '' }, ['p/gone.py']);
    const code =
      'import sys\nopened = []\nsys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)\nimport p.here\nprint([path for path in opened if "plimsoll_removed" in path], "json" in sys.modules)';
    expect(await python([core], code)).toBe('[] False');
  });

  it('has no list where no module has gone, and no finder where no package would load it', async () => {
    const core = await tree('core', { 'p/__init__.py': '' }, ['p/data.bin']);
    expect(listTree(core).map(({ path }) => path)).toEqual(['p/__init__.py', 'plimsoll_finder.py']);
    const flat = await tree('flat', { 'six.py': '' }, []);
    expect(listTree(flat).map(({ path }) => path)).toEqual(['six.py']);
  });
});
