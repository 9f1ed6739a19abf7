import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SERVICES } from '../../infra/aws/facts.ts';
import { ROOT } from '../../local/paths.ts';
import { type AwsCall, sdkCalls, stateMachineCalls } from '../support/aws-calls.ts';

const require = createRequire(import.meta.url);
const DOCUMENT = 'docs/aws-contract.md';

/** Columns of the tables of calls. */
interface Row {
  call: string;
  files: string[];
  action: string;
  answers: string;
  shown: string;
}

const coded = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

const lines = readFileSync(join(ROOT, DOCUMENT), 'utf8').split('\n');
const rows = lines.flatMap((line): Row[] => {
  const cells = line.split('|').map((cell) => cell.trim());
  if (cells.length !== 10 || !cells[1]?.startsWith('`')) return [];
  const [, first = '', by = '', action = '', , , answers = '', , shown = ''] = cells;
  return [{ call: coded(first)[0] ?? '', files: coded(by), action, answers, shown }];
});

const calls = [...sdkCalls(['handlers', 'cli']), ...stateMachineCalls()];
const written = [...new Set(calls.map(({ file, call }) => `${file} ${call}`))];
const told = rows.flatMap(({ call, files }) => files.map((file) => `${file} ${call}`));

/** Answers that AWS gives by these names and the SDK has no class for (API references: "Common errors", S3 "Error responses"). */
const WITHOUT_CLASS = [
  ...['AccessDenied', 'ValidationError', 'ExpiredToken', 'InvalidClientTokenId', 'ThrottlingException'],
  ...['NoSuchBucket', 'BucketNotEmpty', 'SlowDown'],
];

/** Names of the errors that a client knows. */
function errorsOf({ client, call }: AwsCall): string[] {
  if (client === undefined) throw new Error(`${call} is imported from no client`);
  const exported = Object.values(require(client) as Record<string, unknown>);
  return exported.flatMap((Named) =>
    typeof Named === 'function' && Named.prototype instanceof Error
      ? [new (Named as new (of: object) => Error)({ message: '', $metadata: {} }).name]
      : [],
  );
}

describe(DOCUMENT, () => {
  it('has a row for every call of AWS, by the files that make it', () => {
    expect(written.length).toBeGreaterThan(100);
    expect(written.filter((one) => !told.includes(one))).toEqual([]);
  });

  it('has no row for a call that nobody makes any more, and none twice', () => {
    expect(told.filter((one) => !written.includes(one))).toEqual([]);
    expect(told.filter((one, index) => told.indexOf(one) !== index)).toEqual([]);
  });

  it('names actions that IAM has', () => {
    const named = rows
      .flatMap(({ action }) => coded(action))
      .filter((text) => /^[a-z0-9]+:[A-Z*]/.test(text));
    expect(named.length).toBeGreaterThan(100);
    const unknown = named.filter((action) => {
      const [service = '', name = ''] = action.split(':');
      return SERVICES[service] !== undefined && name !== '*' && !SERVICES[service]?.actions[name];
    });
    expect(unknown).toEqual([]);
  });

  it('names answers that the service gives', () => {
    for (const { call, files, answers } of rows) {
      const sent = calls.find((one) => one.call === call && files.includes(one.file));
      if (!sent || sent.kind === 'state') continue;
      const known = [...errorsOf(sent), ...WITHOUT_CLASS];
      // Names of errors: capital letters inside, and no word of a status.
      const named = coded(answers).filter(
        (text) => /^[A-Z][a-z]+[A-Z]\w+$/.test(text) && text !== 'FunctionError',
      );
      expect(
        named.filter((name) => !known.includes(name)),
        call,
      ).toEqual([]);
    }
  });

  it('names for each call a test that is there, or says that none shows it', () => {
    for (const { call, shown } of rows) {
      const tests = [...shown.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, path = '']) => path);
      if (tests.length === 0) expect(shown, call).toMatch(/^not shown/);
      for (const path of tests) {
        expect(path).toMatch(/^test\/.*\.test\.ts$/);
        expect(existsSync(join(ROOT, path)), path).toBe(true);
      }
    }
  });
});
