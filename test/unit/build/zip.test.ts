import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listTree } from '../../../core/build/tree.ts';
import { unpack } from '../../../core/build/unpack.ts';
import { AT_ONCE, compressed, writeZip } from '../../../core/build/zip.ts';
import { centralDirectory, entryOf, localHeader } from '../../../core/build/zip-format.ts';
import { UnsafeArchiveError } from '../../../core/errors.ts';
import { type RawEntry, writeZipWith } from '../../support/hostile-zip.ts';

const LIMITS = { entries: 100, bytes: 1_000_000 };
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-zip-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(root: string, files: Record<string, string | Uint8Array>): Promise<string[]> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return listTree(root).map(({ path }) => path);
}

const unpackRaw = async (entries: readonly RawEntry[], limits = LIMITS) => {
  const path = join(folder, 'raw.zip');
  await writeFile(path, writeZipWith(entries));
  return unpack(path, join(folder, 'out'), 'raw.zip', limits);
};

describe('a zip of many files', () => {
  it('is compressed a few files at a time: what is under way does not grow with their number', async () => {
    let [started, most, taken] = [0, 0, 0];
    const start = (_: string, path: string) => {
      started += 1;
      most = Math.max(most, started - taken);
      const content = Buffer.from(path);
      return { path, mode: 0o100644, content, deflated: Promise.resolve(content) };
    };
    const paths = Array.from({ length: 20_000 }, (_, index) => `f${index}`);
    const names: string[] = [];
    for await (const { entry } of compressed('', paths, start)) {
      taken += 1;
      names.push(entry.name.toString());
    }
    expect(names).toEqual(paths);
    expect([started, most]).toEqual([20_000, AT_ONCE]);
  });

  it('counts more entries than two bytes can hold', async () => {
    const count = 70_000;
    const first = entryOf('f', 0o100644, Buffer.from('x'), deflateRawSync('x'));
    const entries = Array.from({ length: count }, (_, index) => ({
      ...first,
      name: Buffer.from(`f${index}`),
    }));
    const path = join(folder, 'many.zip');
    const start = Buffer.concat([localHeader(first), deflateRawSync('x')]);
    await writeFile(path, Buffer.concat([start, centralDirectory(entries, start.length)]));
    const program = `import json, sys, zipfile
names = zipfile.ZipFile(sys.argv[1]).namelist(); print(json.dumps([len(names), names[-1]]))`;
    const read = execFileSync('python3', ['-c', program, path], { encoding: 'utf8' });
    expect(JSON.parse(read)).toEqual([count, 'f69999']);
  });

  it('holds large and empty files and names beyond ASCII as they are, where another program reads it', async () => {
    const files = { 'größe/ü.txt': 'x'.repeat(200_000), 'empty.py': '', 'small.txt': 'a' };
    const root = join(folder, 'tree');
    const target = join(folder, 'read.zip');
    await writeZip(root, await write(root, files), target);
    const program = `import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z: print(json.dumps([z.testzip(), {i.filename: z.read(i).decode() for i in z.infolist()}]))`;
    const read = execFileSync('python3', ['-c', program, target], { encoding: 'utf8' });
    expect(JSON.parse(read)).toEqual([null, files]);
  });
});

describe('a zip', () => {
  it('has the same bytes whenever and wherever it is written', async () => {
    const files = { 'b/x.py': 'x = 1', 'a.txt': 'a'.repeat(1000), 'run.sh': '#!/bin/sh' };
    const results = await Promise.all(
      ['one', 'two'].map(async (name, index) => {
        const root = join(folder, name);
        const paths = await write(root, files);
        await chmod(join(root, 'run.sh'), index === 0 ? 0o755 : 0o700);
        for (const path of paths) await utimes(join(root, path), index * 1e6, index * 1e6);
        return writeZip(root, index === 0 ? paths : paths.toReversed(), join(folder, `${name}.zip`));
      }),
    );
    expect(results[1]).toEqual(results[0]);
    const bytes = await readFile(join(folder, 'one.zip'));
    expect(results[0]).toEqual({
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
  });

  it('is unpacked to what it was made of', async () => {
    const name = fc
      .stringMatching(/^[a-zA-Z0-9_. é-]{1,12}$/)
      .filter((text) => text.trim() === text && !/^\.+$/.test(text));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => `d/${parts.join('/')}.x`),
          fc.uint8Array({ maxLength: 500 }),
          { maxKeys: 8, noNullPrototype: true },
        ),
        async (files) => {
          const root = await mkdtemp(join(folder, 'in-'));
          const out = await mkdtemp(join(folder, 'out-'));
          const usable = Object.fromEntries(
            Object.entries(files).filter(
              ([path]) =>
                !Object.keys(files).some(
                  (other) =>
                    other !== path &&
                    (other.startsWith(`${path}/`) || other.toLowerCase() === path.toLowerCase()),
                ),
            ),
          );
          await write(root, usable);
          const paths = listTree(root).map(({ path }) => path);
          await writeZip(root, paths, join(root, '..', 'p.zip'));
          expect((await unpack(join(root, '..', 'p.zip'), out, 'p.zip', LIMITS)).sort()).toEqual(paths);
          for (const path of paths)
            expect(await readFile(join(out, path))).toEqual(await readFile(join(root, path)));
        },
      ),
      { numRuns: 25 },
    );
  });

  it('keeps what may be executed', async () => {
    const root = join(folder, 'tree');
    const paths = await write(root, { 'run.sh': 'x', 'plain.txt': 'x' });
    await chmod(join(root, 'run.sh'), 0o755);
    await writeZip(root, paths, join(folder, 'x.zip'));
    await unpack(join(folder, 'x.zip'), join(folder, 'out'), 'x.zip', LIMITS);
    expect((await stat(join(folder, 'out', 'run.sh'))).mode & 0o111).not.toBe(0);
    expect((await stat(join(folder, 'out', 'plain.txt'))).mode & 0o111).toBe(0);
  });
});

describe('a hostile zip writes nothing', () => {
  const OK = { name: 'ok.txt', text: 'ok' };
  it.each<[string, RawEntry[], RegExp]>([
    ['path traversal', [OK, { name: '../evil', text: 'x' }], /"\.\.\/evil" climbs out of its folder/],
    ['traversal in the middle', [OK, { name: 'a/../../evil', text: 'x' }], /climbs out/],
    ['an absolute path', [OK, { name: '/etc/evil', text: 'x' }], /absolute path/],
    ['a drive letter', [OK, { name: 'C:/evil', text: 'x' }], /absolute path/],
    ['a backslash', [OK, { name: '..\\evil', text: 'x' }], /not a path/],
    ['a NUL byte', [OK, { name: 'evil\0.txt', text: 'x' }], /not a path/],
    ['an empty name', [OK, { name: '', text: 'x' }], /not a path/],
    ['a symbolic link', [OK, { name: 'link', text: '/etc', mode: 0o120777 }], /link or a special file/],
    ['a device', [OK, { name: 'dev', text: '', mode: 0o060666 }], /link or a special file/],
    ['a name that comes twice', [OK, OK], /is there twice/],
    [
      'a file that is a folder, too',
      [
        { name: 'a', text: 'x' },
        { name: 'a/b', text: 'x' },
      ],
      /is a file and a folder/,
    ],
    ['two spellings', [OK, { name: './ok.txt', text: 'x' }], /two spellings/],
    ['entries over one another', [OK, { name: 'again.txt', text: 'x', offset: 0 }], /lies over/],
    ['data beyond the end', [{ name: 'a', text: 'x', claims: 5000 }], /lies over|beyond/],
  ])('%s', async (_what, entries, problem) => {
    const failed = unpackRaw(entries);
    await expect(failed).rejects.toThrow(UnsafeArchiveError);
    await expect(failed).rejects.toThrow(problem);
    expect(existsSync(join(folder, 'out')) ? listTree(join(folder, 'out')) : []).toEqual([]);
  });

  it('too many entries, or too many bytes', async () => {
    await expect(
      unpackRaw(Array.from({ length: 101 }, (_, n) => ({ name: `${n}`, text: '' }))),
    ).rejects.toThrow(/101 entries, at most 100/);
    await expect(
      unpackRaw([{ name: 'a', text: 'x'.repeat(200) }], { entries: 10, bytes: 100 }),
    ).rejects.toThrow(/more than 100 bytes/);
  });

  it('whatever bytes it is made of, it ends with an UnsafeArchiveError or with files inside', async () => {
    const honest = writeZipWith([OK, { name: 'd/b.txt', text: 'b'.repeat(50) }]);
    const path = join(folder, 'fuzz.zip');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(honest.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (changes) => {
          const bytes = Buffer.from(honest);
          for (const [at, value] of changes) bytes[at] = value;
          await writeFile(path, bytes);
          const out = await mkdtemp(join(folder, 'fuzz-'));
          try {
            await unpack(path, out, 'fuzz.zip', LIMITS);
          } catch (error) {
            expect(error).toBeInstanceOf(UnsafeArchiveError);
          }
        },
      ),
      { numRuns: 150 },
    );
    expect(listTree(folder).filter(({ path: name }) => /^(evil|etc)/.test(name))).toEqual([]);
  });
});
