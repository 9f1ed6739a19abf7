import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { run } from '../../../core/build/run.ts';
import { findPython } from '../../../core/build/uv.ts';
import { Watch } from '../../../core/build/watch.ts';

const python = async (code: string, watch: Watch) =>
  run(await findPython('3.11', tmpdir()), ['-I', '-c', code], {
    cwd: tmpdir(),
    env: {},
    timeoutMs: 60_000,
    onLine: watch.line,
  });
const started = (name: string) => `print('{"name": "${name}", "started": true}', flush=True)\n`;

describe('a watched program', () => {
  it('is ended where one attempt never ends, which is named, after words on it', async () => {
    const said: string[] = [];
    const limitOf = (name: string) => (name === 'import b' ? 400 : undefined);
    const watch = new Watch({ limitOf, onSlow: (name) => said.push(name), firstWordMs: 50 });
    const code = `${started('import a')}${started('import b')}while True: pass`;
    const { signal } = await python(code, watch);
    expect(signal).toBe('SIGKILL');
    expect(watch.expired).toBe('import b');
    expect(new Set(said)).toEqual(new Set(['import b']));
  });

  it('goes on where each attempt ends', async () => {
    const watch = new Watch({ limitOf: () => 60_000 });
    const { code } = await python(`${started('import a')}print('{"name": "import a", "ok": true}')`, watch);
    watch.end();
    expect([code, watch.expired]).toEqual([0, undefined]);
  });

  it('is not waited for on account of what it has left behind', async () => {
    const watch = new Watch({ limitOf: () => undefined });
    const left = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)']).pid";
    const { code, stdout } = await python(`import subprocess, sys; print(${left})`, watch);
    process.kill(Number(stdout));
    expect(code).toBe(0);
  });
});
