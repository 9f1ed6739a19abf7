import { findPython, uv } from '../../core/build/uv.ts';
import { messageOf } from '../../core/errors.ts';
import type { Check, Finding } from './check.ts';

/** As package.json says. */
const MIN_NODE = [20, 19] as const;

/** @param version as process.versions.node has it */
export function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isNew = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]);
  return {
    what: 'Node',
    verdict: isNew ? 'ok' : 'failed',
    found: version,
    ...(isNew ? {} : { remedy: `Install Node ${MIN_NODE.join('.')} or newer: https://nodejs.org` }),
  };
}

export const nodeCheck: Check = {
  what: 'Node',
  look: async () => [judgeNode(process.versions.node)],
};

/** @param cwd a folder that is there */
export const uvCheck = (cwd: string): Check => ({
  what: 'uv',
  look: async () => {
    try {
      const { code, stdout, stderr } = await uv(['--version'], cwd);
      if (code === 0)
        return [{ what: 'uv', verdict: 'ok', found: stdout.trim().replace(/^uv (\S+).*$/, '$1') }];
      return [missingUv(`does not run: ${stderr.trim().split('\n')[0]}`)];
    } catch (error) {
      return [missingUv(messageOf(error).split(';')[0] ?? '')];
    }
  },
});

const missingUv = (found: string): Finding => ({
  what: 'uv',
  verdict: 'failed',
  found,
  remedy: 'Install it: python3 -m pip install uv, or in a checkout: node scripts/setup.mjs',
});

/** @param version of the project's functions, such as 3.11 @param cwd a folder that is there */
export const pythonCheck = (version: string, cwd: string): Check => ({
  what: `Python ${version}`,
  look: async () => {
    const what = `Python ${version}`;
    try {
      return [{ what, verdict: 'ok', found: await findPython(version, cwd) }];
    } catch (error) {
      return [
        {
          what,
          verdict: 'failed',
          found: messageOf(error).split(';')[0] ?? '',
          remedy: `Install Python ${version}, the version of the project's functions, or run: uv python install ${version}`,
        },
      ];
    }
  },
});
