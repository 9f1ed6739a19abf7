import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { htmlReport } from '../../cli/show/html-report.ts';
import type { Manifest } from '../../core/build/manifest.ts';
import { BROWSER, launchBrowser } from '../support/browser.ts';
import { plimsollIn } from '../support/command.ts';
import { BASE, writeProject } from '../support/project.ts';

const HOSTILE = '"><img src=x onerror="document.title=1"><script>document.title=2</script>';

const manifest = (name: string, before: [string, number][], after: [string, number][]): Manifest => {
  const sum = (rows: [string, number][]) => rows.reduce((total, [, bytes]) => total + bytes, 0);
  return {
    kind: 'layer',
    name,
    key: '0'.repeat(64),
    runtimes: ['python3.11'],
    architectures: ['x86_64'],
    zip: { bytes: 1000, sha256: '' },
    bytes: sum(after),
    installedBytes: sum(before),
    installedFolders: before,
    files: after.map(([folder, bytes]) => [`python/${folder}/x.pyc`, bytes]),
    distributions: [],
    steps: [
      {
        step: 'rules',
        removed: [{ distribution: HOSTILE, reason: 'Nobody needs it.', files: 2, bytes: 60 }],
        putBack: [{ path: 'a/b.py', broke: HOSTILE }],
      },
    ],
    bytecode: { compiled: 0, skipped: {} },
    modules: [],
    imports: [{ module: 'a', ms: 1 }],
    notes: [],
  };
};

const SBOM = (name: string) => ({
  bomFormat: 'CycloneDX' as const,
  specVersion: '1.6' as const,
  version: 1 as const,
  metadata: { component: { type: 'application' as const, name, version: '1' } },
  components: [
    {
      type: 'library' as const,
      'bom-ref': 'a',
      name: 'a',
      version: '1',
      purl: 'pkg:pypi/a@1',
      licenses: [{ license: { name: 'MIT License' } }],
    },
  ],
});
const REPORT = {
  artifacts: [],
  total: 1_000_000,
  zipped: 1,
  checks: [{ subject: 'layer x', what: 'budget' as const, actual: 5, limit: 4, ok: false, isDefault: false }],
};

/** Whoever has no browser runs all but these. */
describe.skipIf(BROWSER === undefined)('the report as a page, in a real browser', () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  let requested: string[];
  let complaints: string[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'plimsoll-html-'));
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function show(html: string): Promise<void> {
    page = await browser.newPage();
    requested = [];
    complaints = [];
    page.on('request', (request) => requested.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await writeFile(join(folder, 'report.html'), html);
    await page.goto(pathToFileURL(join(folder, 'report.html')).href);
  }

  /** Area of each tile, by its folder, of the map with this number. */
  const areas = (map: number) =>
    page
      .locator('svg')
      .nth(map)
      .evaluate((svg) =>
        Object.fromEntries(
          [...svg.querySelectorAll('g')].map((tile) => {
            const { width, height } = tile.querySelector('rect')?.getBBox() ?? { width: 0, height: 0 };
            return [tile.querySelector('title')?.textContent ?? '', width * height];
          }),
        ),
      );

  it('draws folders in proportion to their bytes, before and after on one scale', async () => {
    const before: [string, number][] = [
      ['a/core', 6_000_000],
      ['a/tests', 2_000_000],
      ['b', 4_000_000],
    ];
    await show(
      htmlReport(
        'project',
        REPORT,
        [
          {
            manifest: manifest('one', before, [
              ['a/core', 3_000_000],
              ['b/x', 4_000_000],
            ]),
            sbom: SBOM('one'),
          },
        ],
        [],
      ),
    );
    const [drawnBefore, drawnAfter] = [await areas(0), await areas(1)];
    const core = drawnBefore['a/core: 6.0 MB'] ?? 0;
    expect(core).toBeGreaterThan(10_000);
    // Gaps between the tiles take a little.
    for (const [drawn, folder, share] of [
      [drawnBefore, 'a/tests: 2.0 MB', 1 / 3],
      [drawnBefore, 'b: 4.0 MB', 2 / 3],
      [drawnAfter, 'a/core: 3.0 MB', 1 / 2],
      [drawnAfter, 'b/x: 4.0 MB', 2 / 3],
    ] as const)
      expect((drawn[folder] ?? 0) / core / share, folder).toBeCloseTo(1, 1);
    expect(await page.locator('svg').nth(0).getAttribute('aria-label')).toBe('before: 12.0 MB');
    expect(await page.locator('details', { hasText: 'Budgets and limits' }).getAttribute('open')).toBe('');
    await page.getByText('Packages and licences (1)').click();
    expect(await page.getByText('MIT License').isVisible()).toBe(true);
  });

  it('shows hostile names as text, runs nothing and asks nobody', async () => {
    const hostile: [string, number][] = [[HOSTILE, 50_000_000]];
    await show(
      htmlReport(
        HOSTILE,
        REPORT,
        [{ manifest: manifest(HOSTILE, hostile, hostile), sbom: SBOM(HOSTILE) }],
        [],
      ),
    );
    await page.getByText('What was removed (1)').click();
    expect(await page.locator('h1').textContent()).toBe(HOSTILE);
    expect(await page.title()).toBe(`${HOSTILE}: sizes`);
    expect(await page.locator('img, script').count()).toBe(0);
    expect(requested).toHaveLength(1);
    expect(complaints).toEqual([]);
  });

  it('is what plimsoll size report --format html prints of a project that was built', async () => {
    const project = await writeProject(BASE);
    try {
      expect((await plimsollIn(project, 'build')).code).toBe(0);
      const { stdout, code } = await plimsollIn(project, 'size', 'report', '--format', 'html');
      expect(code).toBe(0);
      await show(stdout);
      expect(await page.locator('section h2').allTextContents()).toEqual(['layer utils', 'function Hello']);
      expect(Object.keys(await areas(0)).join()).toMatch(/six/);
      expect(requested).toHaveLength(1);
      expect(complaints).toEqual([]);
      // Readable on a telephone: nothing is wider than the page.
      await page.setViewportSize({ width: 400, height: 800 });
      expect(await page.locator('html').evaluate((html) => html.scrollWidth)).toBeLessThanOrEqual(400);
    } finally {
      await rm(project, { recursive: true, force: true });
    }
  });
});
