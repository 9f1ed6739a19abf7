/**
 * Builds projects that nobody here wrote, with `sam build` and with `plimsoll build`, and writes what came of it into
 * docs/compatibility.md. Nothing of these projects is in the repository.
 *
 *   npm run test:compatibility -- FOLDER            a checkout of aws/aws-sam-cli, whose Python templates are built
 *   npm run test:compatibility -- --projects LIST   projects as a user clones them, each built by sam and released by
 *                                                   `plimsoll deploy --local`: [{ "path", "commit", "folder", "kind", "mended" }]
 *
 * SAM names the `sam` that is compared with. Default: the one on the PATH.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import templates from './sam-templates.json' with { type: 'json' };

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = join(ROOT, 'docs', 'compatibility.md');
const SAM = process.env['SAM'] ?? 'sam';
/** A build that takes longer is ended, in ms. */
const LIMIT_MS = 300_000;

interface Ended {
  code: number | null;
  seconds: number;
  /** The first line that says what went wrong; empty where nothing did. */
  reason: string;
  output: string;
}

function run(program: string, args: readonly string[], cwd: string): Ended {
  const begin = performance.now();
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    timeout: LIMIT_MS,
    env: { ...process.env, SAM_CLI_TELEMETRY: '0', NO_COLOR: '1' },
  });
  const seconds = (performance.now() - begin) / 1000;
  const lines = `${stderr}\n${stdout}`.split('\n');
  const reason =
    status === 0 ? '' : (lines.find((line) => /error|plimsoll:/i.test(line)) ?? lines.at(-1) ?? '');
  return { code: status, seconds, reason: reason.trim(), output: stdout };
}

interface Row {
  name: string;
  sam: Ended;
  plimsoll: Ended;
}

const pairs = (parameters: object) => Object.entries(parameters).map(([name, value]) => `${name}=${value}`);

function buildTemplate(source: string, { template, parameters }: (typeof templates)[number]): Row {
  const work = mkdtempSync(join(tmpdir(), 'plimsoll-compatibility-'));
  const project = join(work, 'buildcmd');
  try {
    cpSync(source, project, { recursive: true, verbatimSymlinks: true });
    const given = pairs(parameters);
    const name = [
      template,
      ...('Architectures' in parameters ? [String(parameters.Architectures)] : []),
    ].join(', ');
    const sam = run(
      SAM,
      ['build', '-t', template, ...(given.length > 0 ? ['--parameter-overrides', given.join(' ')] : [])],
      project,
    );
    rmSync(join(project, '.aws-sam'), { recursive: true, force: true });
    rmSync(join(project, dirname(template), '.aws-sam'), { recursive: true, force: true });
    const plimsoll = run(
      process.execPath,
      [
        join(ROOT, 'bin', 'plimsoll.mjs'),
        'build',
        '--template',
        template,
        ...given.flatMap((one) => ['--parameter', one]),
      ],
      project,
    );
    return { name, sam, plimsoll };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const outcome = ({ code, seconds }: Ended) =>
  code === 0
    ? `built, ${seconds.toFixed(1)} s`
    : code === null
      ? `ended after ${LIMIT_MS / 1000} s`
      : `failed, ${code}`;

/** A Markdown table whose columns are as wide as their widest cell. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Puts a text between the markers of its name in the page. */
function write(name: string, text: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${PAGE} has no markers ${begin} … ${end}`);
  writeFileSync(PAGE, `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`);
}

interface Listed {
  /** Where it is cloned. */
  path: string;
  commit: string;
  /** In which folder of it a user gives the commands. */
  folder: string;
  /** What kind of project it is, for the page: nobody is named there. */
  kind: string;
  /** What had to be mended here for it. */
  mended?: string;
}

function releaseProject({ path, folder }: Listed, state: string): Omit<Row, 'name'> {
  const work = mkdtempSync(join(tmpdir(), 'plimsoll-compatibility-'));
  try {
    const copy = (name: string) => {
      const project = join(work, name, basename(path));
      cpSync(path, project, { recursive: true, verbatimSymlinks: true });
      rmSync(join(project, folder, '.aws-sam'), { recursive: true, force: true });
      return join(project, folder);
    };
    const sam = run(SAM, ['build'], copy('sam'));
    const command = join(ROOT, 'bin', 'plimsoll.mjs');
    const deploy = [command, 'deploy', '--local', '--state', state];
    return { sam, plimsoll: run(process.execPath, deploy, copy('plimsoll')) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const released = (ended: Ended) =>
  outcome(ended).replace('built', 'released').replace('failed, 2', 'refused');

function releaseProjects(list: string): void {
  const projects = JSON.parse(readFileSync(list, 'utf8')) as Listed[];
  const state = mkdtempSync(join(tmpdir(), 'plimsoll-compatibility-aws-'));
  const rows = projects.map((one) => {
    const { sam, plimsoll } = releaseProject(one, state);
    console.log(
      `${one.path}/${one.folder}: sam ${outcome(sam)}; plimsoll ${released(plimsoll)} ${plimsoll.reason}`,
    );
    return { one, sam, plimsoll };
  });
  rmSync(state, { recursive: true, force: true });
  const built = rows.filter(({ sam }) => sam.code === 0);
  const both = built.filter(({ plimsoll }) => plimsoll.code === 0);
  const sum = `sam builds ${built.length} of ${rows.length}; of these Plimsoll releases ${both.length}.`;
  console.log(sum);
  const cells = rows.map(({ one, sam, plimsoll }) => [
    one.kind,
    `\`${one.commit.slice(0, 10)}\``,
    outcome(sam),
    released(plimsoll),
    one.mended ?? '',
  ]);
  const head = ['project', 'commit', '`sam build`', '`plimsoll deploy --local`', 'mended for it'];
  write('projects', `${table(head, cells)}\n\n${sum}`);
}

function main(): void {
  const [checkout, only] = process.argv.slice(2);
  if (checkout === '--projects' && only !== undefined) {
    releaseProjects(only);
    return;
  }
  if (checkout === undefined) {
    console.error('Name a checkout of aws/aws-sam-cli: npm run test:compatibility -- FOLDER');
    process.exit(2);
  }
  const source = join(checkout, 'tests', 'integration', 'testdata', 'buildcmd');
  const chosen = templates.filter(({ template }) => only === undefined || template.includes(only));
  const rows = chosen.map((one) => {
    const row = buildTemplate(source, one);
    console.log(
      `${row.name}: sam ${outcome(row.sam)}; plimsoll ${outcome(row.plimsoll)} ${row.plimsoll.reason}`,
    );
    return row;
  });
  const built = rows.filter(({ sam }) => sam.code === 0);
  const both = built.filter(({ plimsoll }) => plimsoll.code === 0);
  console.log(`sam builds ${built.length} of ${rows.length}; of these Plimsoll builds ${both.length}`);
  if (only === undefined) {
    const cells = rows.map(({ name, sam, plimsoll }) => [`\`${name}\``, outcome(sam), outcome(plimsoll)]);
    write('sam-templates', table(['template', '`sam build`', '`plimsoll build`'], cells));
  }
  process.exitCode = both.length === built.length ? 0 : 1;
}

main();
