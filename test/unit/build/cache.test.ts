import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readCache, writeWhole } from '../../../core/build/cache.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plimsoll-cache-'));
  file = join(folder, 'deeper', 'one.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const schema = z.object({ a: z.int() });

describe('a file that a build keeps for the next', () => {
  it('is read as it was written', async () => {
    await writeWhole(file, '{"a":1}');
    expect(await readCache(file, schema)).toEqual({ a: 1 });
    await writeWhole(file, '{"a":2}');
    expect(await readCache(file, schema)).toEqual({ a: 2 });
  });

  it.each(['', '{"a":', '{"a":"1"}', '[]', 'null', '['.repeat(200_000), '\0\0\0\0'])(
    'counts as absent where it holds %.9j',
    async (text) => {
      mkdirSync(join(folder, 'deeper'));
      writeFileSync(file, text);
      expect(await readCache(file, schema)).toBeUndefined();
    },
  );

  it('is written by many at once, and is whole all the time', async () => {
    const texts = Array.from({ length: 20 }, (_, a) => JSON.stringify({ a, filler: 'x'.repeat(50_000) }));
    await writeWhole(file, texts[0] ?? '');
    await Promise.all([
      ...texts.map((text) => writeWhole(file, text)),
      ...texts.map(async () => expect(await readCache(file, schema)).toBeDefined()),
    ]);
    expect(texts).toContain(readFileSync(file, 'utf8'));
    expect(readdirSync(join(folder, 'deeper'))).toEqual(['one.json']);
  });

  it('leaves nothing half-written where it cannot be put in its place, and names it', async () => {
    mkdirSync(join(file, 'in-the-way'), { recursive: true });
    await expect(writeWhole(file, '{}')).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(join(folder, 'deeper'))).toEqual(['one.json']);
    await expect(readCache(file, schema)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});
