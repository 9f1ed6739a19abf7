import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, inject, it } from 'vitest';
import { EmbeddedAws } from '../../local/embedded-aws.ts';
import { ROOT } from '../../local/paths.ts';
import { until } from '../support/aws.ts';

const newFolder = () => join(mkdtempSync(join(tmpdir(), 'plimsoll-aws-')), 'aws');
const answers = (url: string) =>
  fetch(`${url}/_ministack/health`).then(
    ({ ok }) => ok,
    () => false,
  );
const clientOf = (aws: EmbeddedAws) =>
  new S3Client({
    endpoint: aws.endpoint,
    region: aws.region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
const bucketsOf = async (aws: EmbeddedAws) =>
  ((await clientOf(aws).send(new ListBucketsCommand({}))).Buckets ?? []).map(({ Name }) => Name);

/** A process of its own that starts an embedded AWS and waits. */
async function startElsewhere(folder: string): Promise<{ pid: number; endpoint: string }> {
  const source = `import { EmbeddedAws } from ${JSON.stringify(join(ROOT, 'local', 'embedded-aws.ts'))};
EmbeddedAws.start({ folder: ${JSON.stringify(folder)} }).then((aws) => { console.log(aws.endpoint); setInterval(() => {}, 1000); });`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const endpoint = await new Promise<string>((resolve) =>
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim())),
  );
  return { pid: child.pid ?? 0, endpoint };
}

describe('the embedded AWS', () => {
  it('listens on the loopback interface only', () => {
    const port = Number(new URL(inject('endpoint')).port)
      .toString(16)
      .toUpperCase()
      .padStart(4, '0');
    const listening = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
      existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [],
    );
    const addresses = listening.flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return state === '0A' && local.endsWith(`:${port}`) ? [local.split(':')[0]] : [];
    });
    expect(addresses).toEqual(['0100007F']);
  });

  it('keeps its state from a clean end to the next start', async () => {
    const folder = newFolder();
    const first = await EmbeddedAws.start({ folder });
    await clientOf(first).send(new CreateBucketCommand({ Bucket: 'kept-bucket' }));
    await first.stop();
    expect(await answers(first.endpoint)).toBe(false);
    const second = await EmbeddedAws.start({ folder });
    expect(await bucketsOf(second)).toEqual(['kept-bucket']);
    await second.stop();
  });

  it('ends with the process that started it, its state saved, and begins anew after a crash of its own', async () => {
    const folder = newFolder();
    const { pid, endpoint } = await startElsewhere(folder);
    expect(await answers(endpoint)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await until('its end', async () => ((await answers(endpoint)) ? undefined : true), 10_000);
    writeFileSync(join(folder, 'left-behind'), '');
    const again = await EmbeddedAws.start({ folder });
    expect(existsSync(join(folder, 'left-behind'))).toBe(true);
    await again.stop();
    // What a crash leaves: state that is not marked as whole.
    writeFileSync(join(folder, 'running'), '');
    const anew = await EmbeddedAws.start({ folder });
    expect(existsSync(join(folder, 'left-behind'))).toBe(false);
    await anew.stop();
  });

  it('refuses a folder that another one uses, and a port that is taken', async () => {
    const folder = newFolder();
    const aws = await EmbeddedAws.start({ folder });
    await expect(EmbeddedAws.start({ folder })).rejects.toThrow(
      /another command \(process \d+\) uses the embedded AWS in/,
    );
    await aws.stop();
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await expect(EmbeddedAws.start({ folder: newFolder(), port })).rejects.toThrow(
      new RegExp(`port ${port} .* is taken`),
    );
    server.close();
  });
});
