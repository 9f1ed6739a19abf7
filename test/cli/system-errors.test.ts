import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../local/paths.ts';
import { until } from '../support/aws.ts';
import { type Ended, plimsollIn } from '../support/command.ts';
import { plimsollOnMount, whyNoMounts } from '../support/mount.ts';
import { BASE, writeProject } from '../support/project.ts';
import { marked, startCommand } from '../support/running-command.ts';

const PROGRAM = join(ROOT, 'bin', 'plimsoll.mjs');
const NO_SPACE =
  'no space is left on its file system (ENOSPC).\n  Free some space, then run the same command again.\n';

let project: string;
let empty: string;
beforeAll(async () => {
  project = await writeProject(BASE);
  empty = await mkdtemp(join(tmpdir(), 'plimsoll-mount-'));
});
afterAll(async () => {
  for (const folder of [project, empty]) await rm(folder, { recursive: true, force: true });
});

/** The last lines that a person reads, without the list of steps. */
function said({ code, stderr }: Ended): { code: number; text: string } {
  expect(stderr).not.toMatch(/^ +at .*[:(]/m);
  return { code, text: stderr.slice(stderr.indexOf('plimsoll: ')) };
}

/** In a shell, with another standard output or current folder. */
function shell(script: string, env: NodeJS.ProcessEnv = {}): Ended {
  const { status, stdout, stderr } = spawnSync(
    'sh',
    ['-c', script, 'sh', process.execPath, PROGRAM, project],
    {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1', ...env },
    },
  );
  return { code: status ?? -1, stdout, stderr };
}

interface Report {
  artifacts: { name: string; folder: string; reused: boolean; zip: { sha256: string } }[];
}
const reportOf = ({ stdout }: Ended) => (JSON.parse(stdout) as Report).artifacts;
const hashes = (ended: Ended) => reportOf(ended).map(({ name, zip }) => [name, zip.sha256]);
const build = () => plimsollIn(project, 'build', '--json');

it('builds a function with more files than a process may have open', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 2_000 }, (_, at) => [`functions/hello/data/m${at}.py`, `VALUE = ${at}\n`]),
  );
  const root = await writeProject({ ...BASE, ...many });
  try {
    const script = 'ulimit -n 256; exec "$1" "$2" build --project "$3"';
    const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', process.execPath, PROGRAM, root], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toMatchObject({ status: 0 });
  } finally {
    await rm(root, { recursive: true });
  }
});

it('names a file that is larger than Lambda takes, larger than a buffer, too', async () => {
  const root = await writeProject(BASE);
  try {
    const file = join(root, 'functions/hello/huge.bin');
    writeFileSync(file, '');
    truncateSync(file, 3_000_000_000);
    expect(await plimsollIn(root, 'build')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /functions\/hello\/huge\.bin: 3000\.0 MB; Lambda takes 262\.1 MB .* Move the file out/,
      ),
    });
  } finally {
    await rm(root, { recursive: true });
  }
});

describe('what the system answers is said with the file and the next step', () => {
  it('where the project cannot be written to', (context) => {
    const reason = whyNoMounts();
    if (reason) context.skip(reason);
    const readOnly = 'mount --bind "$2" "$1"; mount -o remount,ro,bind "$1"';
    const ended = plimsollOnMount(readOnly, [empty, project], ['build', '--project', empty]);
    expect(said(ended)).toEqual({
      code: 2,
      text: `plimsoll: ${empty}/.plimsoll: the file system is read-only (EROFS).\n  Work in a copy of the folder that can be written to.\n`,
    });
  });

  it('where the project belongs to another user', (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can become another user');
    const user = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const other = (...args: string[]) => spawnSync('setpriv', [...user, process.execPath, ...args]);
    if (other(PROGRAM, '--help').status !== 0)
      context.skip('another user cannot run Node or the checkout here');
    const { status, stderr } = other(PROGRAM, 'build', '--json', '--project', project);
    expect(said({ code: status ?? -1, stdout: '', stderr: String(stderr) })).toEqual({
      code: 2,
      text: `plimsoll: ${project}/samconfig.toml: permission denied (EACCES).\n  Give your user the right to it, or run the command in a folder of your own.\n`,
    });
  });

  it('where the disk is full, whenever that happens: what is built is whole, or there is a sentence', async (context) => {
    const reason = whyNoMounts();
    if (reason) context.skip(reason);
    const whole = hashes(await build());
    const onDiskOf = (kilobytes: number) =>
      plimsollOnMount(
        `mount -t tmpfs -o size="$3"k tmpfs "$1"; cp -r "$2"/[a-z]* "$1"`,
        [empty, project, String(kilobytes)],
        ['build', '--json', '--project', empty],
      );
    const codes = [48, 100, 400, 2000, 10_000, 60_000].map((kilobytes) => {
      const ended = onDiskOf(kilobytes);
      if (ended.code === 0) expect(hashes(ended)).toEqual(whole);
      else {
        const { code, text } = said(ended);
        expect(code).toBe(2);
        expect(text).toContain(`plimsoll: ${empty}/`);
        expect(text).toContain(NO_SPACE);
      }
      return ended.code;
    });
    expect(codes.at(0)).toBe(2);
    expect(codes.at(-1)).toBe(0);
  });

  it('where uv cannot write its cache', (context) => {
    const reason = whyNoMounts();
    if (reason) context.skip(reason);
    rmSync(join(project, '.plimsoll'), { recursive: true, force: true });
    const small = 'mount -t tmpfs -o size=16k tmpfs "$1"';
    const { code, text } = said(
      plimsollOnMount(small, [empty], ['build', '--json', '--project', project], { UV_CACHE_DIR: empty }),
    );
    expect(code).toBe(2);
    expect(text).toContain(`plimsoll: ${empty}/`);
    expect(text).toContain(NO_SPACE);
  });

  it('where there is no folder for temporary files', () => {
    for (const [folder, why] of [
      ['/nonexistent', 'no such file or folder (ENOENT)'],
      [PROGRAM, 'a file stands where a folder is needed (ENOTDIR)'],
    ]) {
      expect(said(shell('exec "$1" "$2" build --project "$3"', { TMPDIR: folder }))).toEqual({
        code: 2,
        text: `plimsoll: ${folder}: ${why}; temporary files go there.\n  Free or create it, or set TMPDIR to a folder that can be written to.\n`,
      });
    }
  });

  it('where standard output is full', () => {
    for (const args of ['--help', 'build --project "$3"'])
      expect(said(shell(`exec "$1" "$2" ${args} >/dev/full`))).toEqual({
        code: 2,
        text: `plimsoll: standard output: ${NO_SPACE}`,
      });
  });

  it('where the current folder is gone', () => {
    const ended = shell('cd "$(mktemp -d)"; rmdir "$PWD"; exec "$1" "$2" build');
    expect(said(ended)).toEqual({
      code: 2,
      text: 'plimsoll: the current folder has been deleted.\n  Change to a folder that is there.\n',
    });
  });

  it('where a name is not UTF-8', () => {
    const ended = shell(
      'd=$(mktemp -d); p="$d/$(printf "caf\\351")"; cp -r "$3" "$p"; "$1" "$2" build --json --project "$p"; c=$?; rm -r "$d"; exit $c',
    );
    expect(said(ended)).toEqual({
      code: 2,
      text: expect.stringMatching(/caf\ufffd: the name is not UTF-8\. Rename the folder\.\n$/),
    });
  });
});

it('a command whose output nobody reads any more ends quietly, as SIGPIPE would end it', async () => {
  for (const args of [['--help'], ['build', '--project', project]]) {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' });
  }
});

describe('what a power cut has broken is built anew', () => {
  /** All files below a folder that a name matches. */
  const filesBelow = (folder: string, name: RegExp) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && name.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name));

  it('JSON, zips and bytecode', async () => {
    const before = hashes(await build());
    const cases: [name: RegExp, damage: (file: string) => void][] = [
      [/\.json$/, (file) => truncateSync(file, 20)],
      [/\.json$/, (file) => writeFileSync(file, '[{}]')],
      [/\.zip$/, (file) => truncateSync(file, 100)],
      [/\.pyc$/, (file) => truncateSync(file)],
    ];
    for (const [name, damage] of cases) {
      const files = filesBelow(join(project, '.plimsoll', 'build'), name);
      expect(files.length).toBeGreaterThan(1);
      for (const file of files) {
        // Some are links to files that uv keeps for all projects.
        copyFileSync(file, `${file}.damaged`);
        renameSync(`${file}.damaged`, file);
        damage(file);
      }
      const after = await build();
      expect(said(after)).toMatchObject({ code: 0 });
      expect(hashes(after)).toEqual(before);
      expect(reportOf(after).map(({ reused }) => reused)).toEqual([false, false]);
    }
    expect(reportOf(await build()).map(({ reused }) => reused)).toEqual([true, true]);
  });

  it('and what only reads says what to run', async () => {
    const [first] = reportOf(await build());
    const size = (format: string) => plimsollIn(project, 'size', 'report', '--format', format);
    const sbom = join(first?.folder ?? '', 'sbom.cdx.json');
    truncateSync(sbom, 20);
    expect(said(await size('html'))).toEqual({
      code: 2,
      text: `plimsoll: PrerequisiteError: ${sbom} is missing or broken; run: plimsoll build\n`,
    });
    truncateSync(join(first?.folder ?? '', 'manifest.json'), 20);
    expect(said(await size('json')).text).toMatch(
      /is not built as the project is now; run: plimsoll build\n$/,
    );
  });
});

it('a folder where a file of the build is to stand is named', async () => {
  await build();
  const [file = ''] = readdirSync(join(project, '.plimsoll/build/resolutions'));
  const path = join(project, '.plimsoll/build/resolutions', file);
  rmSync(path);
  mkdirSync(path);
  expect(said(await build())).toMatchObject({
    code: 2,
    text: expect.stringContaining('a folder stands where'),
  });
  rmSync(path, { recursive: true });
});

describe('temporary files', () => {
  it('of a command that was killed are removed by the next one; those of one that runs are not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'plimsoll-temporary-'));
    const env = { TMPDIR: folder };
    const args = ['build', '--clean', '--project', project];
    const [killed, alive] = [startCommand(args, 'killed-one', env), startCommand(['doctor'], '', env)];
    await until(
      'their folders',
      async () =>
        [killed, alive].every(({ child }) =>
          readdirSync(folder).some((name) => name.includes(`-${child.pid}-`)),
        ) || undefined,
    );
    killed.child.kill('SIGKILL');
    await killed.exited;
    await until('the end of it', async () => marked('killed-one').length === 0 || undefined);
    const names = readdirSync(folder);
    expect(names).toContainEqual(expect.stringContaining(`plimsoll-${killed.child.pid}-`));
    await alive.exited;
    const other = join(folder, `plimsoll-${process.pid}-other`);
    mkdirSync(other);
    await startCommand(['--version'], '', env).exited;
    expect(readdirSync(folder)).toEqual([basename(other)]);
    await rm(folder, { recursive: true });
  });
});
