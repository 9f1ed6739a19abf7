import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listTree } from '../../../core/build/tree.ts';
import { unpack } from '../../../core/build/unpack.ts';
import { writeZip } from '../../../core/build/zip.ts';
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
