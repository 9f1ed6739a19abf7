import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as errors from '../../core/errors.ts';
import { ROOT } from '../../local/paths.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

describe('docs/faults.md', () => {
  const rows = read('docs/faults.md')
    .split('\n')
    .flatMap((line) => {
      const cells = line.split('|').map((cell) => cell.trim());
      const [, path, title] = /\]\(\.\.\/([^)]+)\): (.+)$/.exec(cells[4] ?? '') ?? [];
      return path && title ? [{ fault: cells[1] ?? '', ends: cells[2] ?? '', path, title }] : [];
    });

  it('names a test for each fault, and there is one', () => {
    expect(rows.length).toBeGreaterThanOrEqual(40);
    for (const { fault, path, title } of rows) {
      expect(existsSync(join(ROOT, path)), path).toBe(true);
      expect(read(path), fault).toContain(title);
    }
  });

  it('names failures that exist', () => {
    for (const { ends } of rows)
      for (const [name] of ends.matchAll(/\b[A-Z]\w+Error\b/g))
        if (name !== 'ImportError') expect(errors).toHaveProperty(name);
  });
});

describe('links in the documents', () => {
  it.each([
    'README.md',
    'docs/acceptance.md',
    'docs/aws-contract.md',
    'docs/builds.md',
    'docs/faults.md',
    'docs/security.md',
  ])('of %s lead to files of this project', (document) => {
    const folder = document.includes('/') ? 'docs' : '';
    for (const [, target = ''] of read(document).matchAll(/\]\((?!https?:)([^)#]+)\)/g))
      expect(existsSync(join(ROOT, folder, target)), target).toBe(true);
  });
});
