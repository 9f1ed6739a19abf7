import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withoutShims } from '../core/build/pyenv.ts';
import { EmbeddedAwsError } from '../core/errors.ts';
import { PYTHON, ROOT, TOOLS_PATH, UV } from './paths.ts';

export interface EmbeddedAwsOptions {
  /** Folder of its state; created when it is not there. */
  folder: string;
  /** @default a free one */
  port?: number;
  /** Whether to wait while another command uses the folder. @default that is an error */
  wait?: boolean;
}

/** Exit code of the adapter where another command uses the folder: local/adapter/ownership.py. */
const BUSY = 75;

const READY_MS = 60_000;
/** More than the adapter may take until all is at rest. */
const STOP_MS = 45_000;
const HOST = '127.0.0.1';
/** MiniStack's root user. */
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
export const REGION = 'us-east-1';

/** A port that nobody listens on, or the given one. @throws EmbeddedAwsError when that one is taken */
async function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', () =>
      reject(
        new EmbeddedAwsError(
          `port ${wanted} on ${HOST} is taken; give another one with --port, or none for a free one`,
        ),
      ),
    );
    server.listen(wanted, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : wanted));
    });
  });
}

/** In the folder of its state: what it answers with an error, for tests; see local/adapter/faults.py. */
export const FAULTS_FILE = 'faults.json';

/** What of this process's environment the embedded AWS, its builds and its functions get to see. */
function hostEnvironment(): NodeJS.ProcessEnv {
  const wanted =
    /^(HOME|TMPDIR|LANG|LC_ALL|PYENV_\w+|(SSL|CURL|PIP|UV|NODE_EXTRA|REQUESTS)_\w+|(https?|no|all)_proxy)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => wanted.test(name)));
}

/** Whether an embedded AWS is there. A process id would say less: it may be a zombie's, or somebody else's by now. */
async function answers(port: number): Promise<boolean> {
  return fetch(`http://${HOST}:${port}/_ministack/health`).then(
    ({ ok }) => ok,
    () => false,
  );
}

/**
 * MiniStack with its holes filled, as a process of its own that ends with this one. Its state outlives it: the next
 * start finds buckets, stacks and functions again, unless the last end was no clean one.
 */
export class EmbeddedAws {
  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
    private readonly folder: string,
    /** Whether it began with no state. */
    readonly isFresh: boolean,
  ) {}

  readonly region = REGION;

  get endpoint(): string {
    return `http://${HOST}:${this.port}`;
  }

  /** Variables under which AWS's SDKs and the CDK talk to it. */
  get environment(): Record<string, string> {
    return {
      ...CREDENTIALS,
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_REGION: REGION,
      AWS_DEFAULT_REGION: REGION,
    };
  }

  /** @throws EmbeddedAwsError when it cannot be started, with the end of its log */
  static async start({ folder, port: wanted, wait = false }: EmbeddedAwsOptions): Promise<EmbeddedAws> {
    if (!existsSync(PYTHON))
      throw new EmbeddedAwsError('the embedded AWS is not installed; run: node scripts/setup.mjs');
    const port = await freePort(wanted);
    const isFresh = !existsSync(join(folder, 'state')) || existsSync(join(folder, 'running'));
    const child = spawn(PYTHON, ['-m', 'adapter'], {
      cwd: join(ROOT, 'local'),
      // A group of its own: Ctrl-C reaches this process only, which then ends it in good order.
      detached: true,
      // It obeys its standard input, and ends when that does: with this process, however that ends.
      stdio: ['pipe', 'ignore', 'pipe'],
      env: {
        ...hostEnvironment(),
        PATH: `${TOOLS_PATH}:${process.env['PATH']}`,
        PLIMSOLL_FAULTS: join(folder, FAULTS_FILE),
        PLIMSOLL_STATE: folder,
        PLIMSOLL_WAIT: wait ? '1' : '0',
        PLIMSOLL_UV: UV,
        // Builds look for interpreters in the same places (core/build/uv.ts).
        PLIMSOLL_PYTHONS: withoutShims(process.env['PATH'] ?? ''),
        PYTHONDONTWRITEBYTECODE: '1',
        GATEWAY_PORT: String(port),
        BIND_HOST: HOST,
        MINISTACK_HOST: 'localhost',
        AUTH: 'true',
        PERSIST_STATE: '1',
        STATE_DIR: join(folder, 'state'),
        S3_PERSIST: '1',
        S3_DATA_DIR: join(folder, 's3'),
        LAMBDA_EXECUTOR: 'local',
        MINISTACK_REGION: REGION,
        // MiniStack sets and drops it while it expands SAM templates: functions that start meanwhile would stumble over that.
        AWS_DEFAULT_REGION: REGION,
        SFTP_ENABLED: '0',
        IOT_MTLS_ENABLED: '0',
        LOG_LEVEL: process.env['PLIMSOLL_AWS_LOG_LEVEL'] ?? 'INFO',
        AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      },
    });
    const aws = new EmbeddedAws(port, child, folder, isFresh);
    await aws.untilReady(wait);
    return aws;
  }

  private async untilReady(wait: boolean): Promise<void> {
    let early = '';
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      early += text;
    });
    const end = Date.now() + (wait ? Number.POSITIVE_INFINITY : READY_MS);
    while (Date.now() < end && this.child.exitCode === null) {
      if (await answers(this.port)) return;
      await sleep(100);
    }
    if (this.child.exitCode === BUSY)
      throw new EmbeddedAwsError(
        `another command (process ${early.trim()}) uses the embedded AWS in ${this.folder}\n  Wait until it is done, pass --when-locked wait, or give another folder with --state.`,
      );
    await this.stop();
    const log = join(this.folder, 'log.txt');
    const text = existsSync(log) ? readFileSync(log, 'utf8') : early;
    const lines = text.trim().split('\n').slice(-5).join('\n  ');
    throw new EmbeddedAwsError(`the embedded AWS did not start; the end of its log, ${log}:\n  ${lines}`);
  }

  /** The address under which this machine reaches an API's URL as AWS writes it; other addresses stay as they are. */
  reachable(url: string): string {
    const match = /^https:\/\/([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\/.*)?$/.exec(url);
    return match ? `${this.endpoint}/_aws/execute-api/${match[1]}${match[2] ?? '/'}` : url;
  }

  /** Ends it, its state written; one that does not end in time is killed, and its state dropped at the next start. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.stdin?.end('stop\n');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  }
}
