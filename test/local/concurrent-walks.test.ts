import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { PYTHON, ROOT } from '../../local/paths.ts';

const run = promisify(execFile);

/** Four threads each add sessions to the table that each of them walks first, as functions that start at once do. */
const atOnce = (prepare: string) => `
import sys, threading
sys.setswitchinterval(1e-6)
from adapter import concurrent_walks
from ministack.services import sts
${prepare}
errors = []
def register(thread):
    try:
        for number in range(1500):
            sts.register_session(f"{thread}-{number}", {})
    except RuntimeError as error:
        errors.append(str(error))
threads = [threading.Thread(target=register, args=(thread,)) for thread in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(errors), len(sts._sessions))
`;

async function errorsAndSessions(prepare: string): Promise<number[]> {
  const { stdout } = await run(PYTHON, ['-c', atOnce(prepare)], { cwd: join(ROOT, 'local') });
  return stdout.trim().split(' ').map(Number);
}

describe('functions that start at once', () => {
  it('all get their sessions', async () => {
    expect(await errorsAndSessions('concurrent_walks.install()')).toEqual([0, 6000]);
  });

  it('would not, if the adapter left MiniStack as it is', async () => {
    const [errors = 0] = await errorsAndSessions('');
    expect(errors).toBeGreaterThan(0);
  });
});
