import type { Manifest } from '../../core/build/manifest.ts';
import type { Sbom } from '../../core/build/sbom.ts';
import type { HeavyImport } from '../../core/optimise/decisions.ts';
import { folderSizes } from '../../core/size/folders.ts';
import { megabytes, type SizeReport } from '../../core/size/report.ts';
import { layOut, packageOfFolder, type Tile } from '../../core/size/treemap.ts';
import { whatIsLoaded } from './optimised.ts';
import { duration } from './table.ts';

export interface ReportedArtifact {
  manifest: Manifest;
  sbom: Sbom;
}

/** Width of a map, in pixels; the largest artifact before trimming is this wide and two thirds as high. */
const WIDTH = 560;
const HEIGHT = (WIDTH * 2) / 3;
/** A label needs so much room, in pixels. */
const LABEL = { width: 46, height: 13, letter: 6.2 };
const HUES = [210, 28, 140, 340, 265, 48, 185, 0, 95, 310];

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Names come from wheels and templates, and are hostile until escaped. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (one) => ESCAPES[one] ?? one);

const row = (cells: readonly string[], tag = 'td') =>
  `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`;

function tableOf(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const body = rows.map((cells) => row(cells.map(escapeHtml))).join('');
  return `<table><thead>${row(titles.map(escapeHtml), 'th')}</thead><tbody>${body}</tbody></table>`;
}

/** Each package has the same colour on all maps of a page. */
function colours(manifests: readonly Manifest[]): (name: string) => number {
  const sizes = folderSizes(
    manifests.flatMap(({ installedFolders }) => installedFolders.map(([path, bytes]) => ({ path, bytes }))),
  );
  const names = [...new Set(sizes.map(([folder]) => packageOfFolder(folder)))];
  return (name) => HUES[Math.max(0, names.indexOf(name)) % HUES.length] ?? 210;
}

function tileOf(tile: Tile, hue: number): string {
  const { x, y, width, height, folder, bytes } = tile;
  const at = [x, y, width, height].map((value) => value.toFixed(1));
  const fits = width > LABEL.width && height > LABEL.height;
  const letters = Math.floor((width - 6) / LABEL.letter);
  const label = folder.length > letters ? `${folder.slice(0, Math.max(1, letters - 1))}…` : folder;
  const text = fits
    ? `<text x="${(x + 3).toFixed(1)}" y="${(y + 11).toFixed(1)}">${escapeHtml(label)}</text>`
    : '';
  return `<g><title>${escapeHtml(`${folder}: ${megabytes(bytes)}`)}</title><rect x="${at[0]}" y="${at[1]}" width="${at[2]}" height="${at[3]}" style="--hue:${hue}"/>${text}</g>`;
}

function map(
  title: string,
  folders: readonly (readonly [string, number])[],
  scale: number,
  hueOf: (name: string) => number,
): string {
  const { tiles, height } = layOut(folders, WIDTH, scale);
  const total = folders.reduce((sum, [, bytes]) => sum + bytes, 0);
  const name = `${title}: ${megabytes(total)}`;
  return `<figure><figcaption>${escapeHtml(name)}</figcaption><svg role="img" aria-label="${escapeHtml(name)}" viewBox="0 0 ${WIDTH} ${height.toFixed(1)}" width="${WIDTH}" height="${height.toFixed(1)}">${tiles.map((tile) => tileOf(tile, hueOf(tile.package))).join('')}</svg></figure>`;
}

function section(
  { manifest, sbom }: ReportedArtifact,
  scale: number,
  hueOf: (name: string) => number,
): string {
  const { kind, name, steps, imports, installedFolders, installedBytes, bytes, zip, files } = manifest;
  const after = folderSizes(files.map(([path, size]) => ({ path, bytes: size })));
  const removed = steps.flatMap(({ step, removed: rows }) =>
    rows.map((one) => [step, one.distribution, one.reason, String(one.files), megabytes(one.bytes)]),
  );
  const putBack = steps.flatMap(({ step, putBack: rows }) =>
    rows.map(({ path, broke }) => [step, path, broke]),
  );
  const licences = sbom.components.map((one) => [
    one.name,
    one.version,
    (one.licenses ?? [])
      .map((licence) => ('expression' in licence ? licence.expression : licence.license.name))
      .join(', '),
  ]);
  const details = (title: string, titles: string[], rows: string[][]) =>
    rows.length === 0
      ? ''
      : `<details><summary>${escapeHtml(title)} (${rows.length})</summary>${tableOf(titles, rows)}</details>`;
  return `<section id="${escapeHtml(`${kind}-${name}`)}"><h2>${escapeHtml(`${kind} ${name}`)}</h2>
<p>${escapeHtml(`${megabytes(installedBytes)} installed, ${megabytes(bytes)} shipped, ${megabytes(zip.bytes)} zipped`)}</p>
<div class="maps">${map('before', installedFolders, scale, hueOf)}${map('after', after, scale, hueOf)}</div>
${details('What was removed', ['step', 'package', 'why', 'files', 'bytes'], removed)}
${details('What the proof has put back', ['step', 'file', 'what broke without it'], putBack)}
${details(
  'Import times',
  ['module', 'time'],
  imports.map((one) => [one.module, duration(one.ms)]),
)}
${details('Packages and licences', ['package', 'version', 'licence'], licences)}</section>`;
}

function summary(report: SizeReport, artifacts: readonly ReportedArtifact[]): string {
  const rows = artifacts.map(({ manifest: { kind, name, installedBytes, bytes, zip } }) => [
    `${kind} ${name}`,
    megabytes(installedBytes),
    megabytes(bytes),
    megabytes(zip.bytes),
  ]);
  const checks = report.checks.map(({ subject, what, actual, limit, ok }) => {
    const figure = (value: number) => (what === 'lambda-layers' ? String(value) : megabytes(value));
    return [
      subject,
      what,
      figure(actual),
      figure(what === 'budget' ? limit + 1 : limit),
      ok ? 'holds' : 'BROKEN',
    ];
  });
  return `${tableOf(['artifact', 'installed', 'shipped', 'zipped'], [...rows, ['whole release, each distinct file once', '', megabytes(report.total), megabytes(report.zipped)]])}
<details${report.checks.every(({ ok }) => ok) ? '' : ' open'}><summary>Budgets and limits (${checks.length})</summary>${tableOf(['', 'what', 'is', 'at most', ''], checks)}</details>`;
}

function heavy(imports: readonly HeavyImport[]): string {
  if (imports.length === 0) return '';
  const rows = imports.map(({ function: fn, file, line, modules, ms, bytes, deferred }) => [
    fn,
    `${file}:${line}`,
    whatIsLoaded(modules),
    duration(ms),
    megabytes(bytes),
    deferred === 0 ? '' : `${deferred} put off`,
  ]);
  return `<section><h2>Imports that take most of the start</h2><p>Of these modules no Python code ran in an event.</p>${tableOf(['function', 'import at', 'loads', 'time', 'bytes', ''], rows)}</section>`;
}

const STYLE = `:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}body{max-width:1180px;margin:2rem auto;padding:0 1rem}
h1,h2{line-height:1.2}table{border-collapse:collapse;margin:.5rem 0;font-variant-numeric:tabular-nums}th,td{padding:.15rem .75rem .15rem 0;text-align:left;vertical-align:top}
th{border-bottom:1px solid;font-weight:600}.maps{display:flex;flex-wrap:wrap;gap:1.5rem;align-items:flex-start}figure{margin:0}figcaption{font-weight:600}
svg{max-width:100%;height:auto}rect{fill:hsl(var(--hue) 55% 72%)}g:hover rect{fill:hsl(var(--hue) 75% 60%)}text{font:10px system-ui,sans-serif;fill:#111;pointer-events:none}
details{margin:.4rem 0}summary{cursor:pointer}`;

/** The whole report as one page that needs nothing else: no script, no network. */
export function htmlReport(
  title: string,
  report: SizeReport,
  artifacts: readonly ReportedArtifact[],
  heavyImports: readonly HeavyImport[],
): string {
  const manifests = artifacts.map(({ manifest }) => manifest);
  const largest = Math.max(
    1,
    ...manifests.map(({ installedBytes, bytes }) => Math.max(installedBytes, bytes)),
  );
  const scale = largest / (WIDTH * HEIGHT);
  const hueOf = colours(manifests);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}: sizes</title><style>${STYLE}</style></head>
<body><h1>${escapeHtml(title)}</h1>
${summary(report, artifacts)}
${artifacts.map((one) => section(one, scale, hueOf)).join('\n')}
${heavy(heavyImports)}
</body></html>
`;
}
