import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeZip } from '../../../core/build/zip.ts';
import { UnsafeArchiveError } from '../../../core/errors.ts';
import { readCentralDirectory } from '../../../core/size/central-directory.ts';

describe('the central directory', () => {
  it('is read by ranges from the end: of a zip of 8 MB less than a tenth is fetched', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'plimsoll-ranges-'));
    const files = Array.from({ length: 80 }, (_, n) => `file-${n}.bin`);
    for (const name of files) await writeFile(join(folder, name), randomBytes(100_000));
    await writeZip(folder, files, join(folder, 'x.zip'));
    const zip = await readFile(join(folder, 'x.zip'));
    await rm(folder, { recursive: true, force: true });
    let fetched = 0;
    const readRange = async (start: number, end: number) => {
      fetched += end - start;
      return zip.subarray(start, end);
    };
    const { entries, dataEnd } = await readCentralDirectory('x.zip', zip.length, readRange, 1000);
    expect(entries.map(({ fileName, uncompressedSize }) => [fileName, uncompressedSize])).toEqual(
      files.sort().map((name) => [name, 100_000]),
    );
    expect(dataEnd).toBeGreaterThan(8_000_000);
    expect(fetched).toBeLessThan(zip.length / 10);
  });

  it('of what is no zip is refused by name', async () => {
    const bytes = Buffer.from('no zip at all');
    const readRange = async (start: number, end: number) => bytes.subarray(start, end);
    await expect(readCentralDirectory('s3://b/k', bytes.length, readRange, 10)).rejects.toThrow(
      UnsafeArchiveError,
    );
    await expect(readCentralDirectory('s3://b/k', bytes.length, readRange, 10)).rejects.toThrow(
      /s3:\/\/b\/k/,
    );
  });
});
