import { describe, expect, it } from 'vitest';
import { describeEnd } from '../../cli/report.ts';
import { BudgetExceededError } from '../../core/errors.ts';
import {
  exitCodeOfError,
  explain,
  namingPath,
  systemErrorIn,
  systemSentence,
} from '../../core/system-errors.mjs';

const error = (code: string, rest: object = {}) => Object.assign(new Error(code), { code, ...rest });

describe('what the system answered', () => {
  it('is a sentence with the path and the next step', () => {
    expect(systemSentence(error('ENOSPC', { path: '/a/b' }))).toBe(
      '/a/b: no space is left on its file system (ENOSPC).\n  Free some space, then run the same command again.',
    );
    expect(systemSentence(error('ECONNREFUSED', { address: '10.0.0.1', port: 443 }))).toMatch(
      /^10\.0\.0\.1:443: cannot be reached \(ECONNREFUSED\)\.\n {2}Check the network connection/,
    );
    expect(systemSentence(error('EMFILE', { syscall: 'open' }))).toMatch(
      /^the system \(open\): too many files/,
    );
  });

  it('is found behind what wraps it', () => {
    const wrapped = new TypeError('fetch failed', { cause: error('ENOTFOUND', { hostname: 'example.com' }) });
    expect(systemSentence(wrapped)).toMatch(/^example\.com: cannot be reached/);
  });

  it('is nothing else', () => {
    for (const other of [new Error('x'), error('ERR_INVALID_ARG_TYPE'), error('toString'), 'text', undefined])
      expect(systemSentence(other)).toBeUndefined();
  });

  it('is read from what programs print', () => {
    const cases: [printed: string, code: string, path?: string][] = [
      [
        'error: Failed to install: six.whl\n  cause: failed to copy file from /c/six.py to /p/.tmpz: No space left on device (os error 28)\n',
        'ENOSPC',
        '/p/.tmpz',
      ],
      ['  cause: failed to create directory `/c/uv`: Read-only file system (os error 30)', 'EROFS', '/c/uv'],
      ["ERROR: Could not install: [Errno 13] Permission denied: '/x y/z'", 'EACCES', '/x y/z'],
      ["Error: EROFS: read-only file system, mkdir '/d/x'", 'EROFS', '/d/x'],
      ['npm error code ENOSPC\nnpm error syscall write', 'ENOSPC'],
    ];
    for (const [printed, code, path] of cases) {
      const found = systemErrorIn(printed);
      expect([found?.code, found?.path]).toEqual([code, path]);
    }
    expect(systemErrorIn('error: no such package (os error 2)')).toBeUndefined();
    expect(systemErrorIn('No solution found: ENOSPCX needs 28')).toBeUndefined();
  });

  it('gets the path that the call did not name, and keeps the one that it did', async () => {
    await expect(namingPath('/a', Promise.reject(error('ENOSPC')))).rejects.toMatchObject({ path: '/a' });
    const known = error('ENOSPC', { path: '/b' });
    await expect(namingPath('/a', Promise.reject(known))).rejects.toMatchObject({ path: '/b' });
  });
});

describe('the end of a command', () => {
  it('is one sentence for a fault of ours, with the way to its details', () => {
    const overflow = new RangeError('Maximum call stack size exceeded');
    expect(explain(overflow)).toBe(
      'an error in Plimsoll itself: RangeError: Maximum call stack size exceeded\n  Run the same command with PLIMSOLL_DEBUG=1 for the details, and report both.',
    );
    expect(exitCodeOfError(overflow)).toBe(1);
    expect(exitCodeOfError(error('EROFS', { path: '/a' }))).toBe(2);
  });

  it('has the stack with PLIMSOLL_DEBUG=1', () => {
    process.env['PLIMSOLL_DEBUG'] = '1';
    try {
      expect(explain(new Error('x'))).toMatch(/\n +at /);
      expect(describeEnd(new BudgetExceededError('x')).text).toMatch(/\n +at /);
    } finally {
      delete process.env['PLIMSOLL_DEBUG'];
    }
    expect(describeEnd(new BudgetExceededError('x'))).toEqual({ text: 'BudgetExceededError: x', code: 1 });
  });

  it('is what AWS answered', () => {
    const answer = Object.assign(new Error('not allowed'), { name: 'AccessDenied', $metadata: {} });
    expect(describeEnd(answer)).toEqual({ text: 'AWS answered AccessDenied: not allowed', code: 1 });
  });
});
