import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { messageOf } from '../../core/errors.ts';
import { failureMessage } from '../../core/release/record.ts';
import { handOver, watch } from '../commands/deploy.ts';
import { Follower } from '../follow/follower.ts';
import type { ExecutionEnd, PipelineClient } from '../pipeline-client.ts';
import { writeBrokenExample } from './broken-example.ts';
import type { Clients } from './clients.ts';
import { Inbox } from './inbox.ts';
import { exampleStackOf } from './name.ts';
import { alarmsOf, outputsOf, runningNow, schedulesIn } from './observed.ts';

/** What was looked at, and how it ended. */
export interface Result {
  step: string;
  /** `skipped`: this version of the pipeline has none of it. */
  verdict: 'passed' | 'failed' | 'skipped';
  found: string;
  ms: number;
}

/** Where an acceptance runs, and how it gets there. */
export interface Setting {
  name: string;
  /** Folder of the example. */
  example: string;
  clients: Clients;
  /** Installs the pipeline under that name. */
  install(signal: AbortSignal): Promise<PipelineClient>;
  /** The address under which this machine reaches an API's URL. */
  reachable(url: string): string;
  signal: AbortSignal;
  json: boolean;
}

/** Ctrl-C, or a termination: no further step begins. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** A check that did not hold: the acceptance goes on with the next one, if that still says something. */
class NotHeld extends Error {}

const PATH = '/predict';
const QUERY = 'customerId=c-007&facilityId=f-02';
/** SNS delivers within seconds; alarms and rules may take longer. */
const MAIL_SECONDS = 120;

/** Releases a project and follows it live; an interruption stops it. */
async function release(
  { name, signal, json }: Setting,
  client: PipelineClient,
  root: string,
): Promise<ExecutionEnd> {
  const how = { stackName: exampleStackOf(name), parameters: {} };
  const { executionArn } = await handOver(client, root, how);
  const stop = () => void client.stop(executionArn).catch(() => {});
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    const end = await watch(new Follower(client, executionArn), json);
    if (signal.aborted) throw new Interrupted();
    return end;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

const reasonOf = ({ error, status, cause }: ExecutionEnd): string =>
  `${error ?? status}: ${failureMessage({ Error: error ?? status, Cause: cause ?? '' })}`;

/** What the example answers behind its API. */
async function ask({ name, clients, reachable }: Setting): Promise<{ status: number; prediction: unknown }> {
  const outputs = await outputsOf(clients, exampleStackOf(name));
  const url = Object.values(outputs).find((value) => value.endsWith(PATH));
  if (url === undefined) throw new NotHeld(`the stack has no output that ends with ${PATH}`);
  const response = await fetch(`${reachable(url)}?${QUERY}`);
  const body = (await response.json().catch(() => ({}))) as { prediction?: unknown };
  return { status: response.status, prediction: body.prediction };
}

/**
 * Everything that an acceptance does and looks at, in order, before it removes all of it.
 * @param begin is told the title of each step
 * @param results is given how each ended; where nothing can follow, it ends there
 * @throws Interrupted
 */
export async function runSteps(
  setting: Setting,
  results: Result[],
  begin: (step: string) => void,
): Promise<void> {
  const { name, clients, signal } = setting;
  const stack = exampleStackOf(name);
  const attempt = async <T>(step: string, act: () => Promise<{ found: string; value?: T } | undefined>) => {
    if (signal.aborted) throw new Interrupted();
    begin(step);
    const start = performance.now();
    const add = (verdict: Result['verdict'], found: string) =>
      results.push({ step, verdict, found, ms: Math.round(performance.now() - start) });
    try {
      const done = await act();
      if (done) add('passed', done.found);
      else add('skipped', 'not part of this version');
      return done?.value;
    } catch (error) {
      if (signal.aborted) throw new Interrupted();
      add('failed', messageOf(error));
      return undefined;
    }
  };

  const client = await attempt('Install the pipeline', async () => {
    const value = await setting.install(signal);
    return { found: `stack ${name}`, value };
  });
  if (!client) return;
  const inbox = await attempt('Subscribe to the topic', async () => {
    const value = await Inbox.open(clients, name, client.outputs.Topic);
    return { found: 'a queue, in the place of an e-mail address', value };
  });
  const isReleased = await attempt('Release the example', async () => {
    const end = await release(setting, client, setting.example);
    if (end.status !== 'SUCCEEDED') throw new NotHeld(reasonOf(end));
    const { smoke } = JSON.parse(end.output ?? '{}') as { smoke: unknown[] };
    return { found: `stack ${stack}, ${smoke.length} smoke tests passed`, value: true };
  });
  if (!isReleased) return;
  const before = await attempt('The example answers', async () => {
    const { status, prediction } = await ask(setting);
    if (status !== 200) throw new NotHeld(`GET ${PATH} answers ${status}`);
    const value = { prediction, running: await runningNow(clients, stack) };
    return { found: `GET ${PATH} answers 200, prediction ${prediction}`, value };
  });
  const alarm = await attempt('Alarms of its functions', async () => {
    const alarms = await alarmsOf(clients, stack);
    const silent = alarms.filter(({ actions }) => !actions.includes(client.outputs.Topic));
    if (alarms.length === 0) throw new NotHeld('there is none');
    if (silent.length > 0)
      throw new NotHeld(`not told to the topic: ${silent.map((one) => one.name).join(', ')}`);
    return { found: `${alarms.length}, all told to the topic`, value: alarms[0]?.name };
  });
  if (inbox && alarm !== undefined)
    await attempt('An alarm reaches the topic', async () => {
      const StateReason = 'The acceptance tries whether somebody would hear of it.';
      await clients.cloudwatch.send(
        new SetAlarmStateCommand({ AlarmName: alarm, StateValue: 'ALARM', StateReason }),
      );
      const mail = await inbox.receive(({ message }) => message.includes(alarm), MAIL_SECONDS);
      if (!mail) throw new NotHeld(`${alarm} went off, and nobody was told within ${MAIL_SECONDS} s`);
      return { found: mail.subject || alarm };
    });
  await attempt('Release a broken version', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'plimsoll-broken-'));
    try {
      const root = join(folder, 'example');
      await writeBrokenExample(setting.example, root);
      const end = await release(setting, client, root);
      if (end.error !== 'SmokeTestFailedError')
        throw new NotHeld(`it should end with SmokeTestFailedError, and ended ${reasonOf(end)}`);
      return { found: `ended ${reasonOf(end).slice(0, 120)}` };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
  await attempt('What ran before answers again', async () => {
    const { status, prediction } = await ask(setting);
    if (status !== 200 || prediction !== before?.prediction)
      throw new NotHeld(`GET ${PATH} answers ${status}, prediction ${prediction}`);
    const now = await runningNow(clients, stack);
    const changed = Object.keys(now).filter((key) => now[key] !== before?.running[key]);
    if (changed.length > 0) throw new NotHeld(`not as before: ${changed.join(', ')}`);
    return { found: `GET ${PATH} answers 200, every alias and the template as before` };
  });
  if (inbox)
    await attempt('Both releases were told of', async () => {
      const released = await inbox.receive(({ subject }) => subject === `Released: ${stack}`, MAIL_SECONDS);
      if (!released) throw new NotHeld('no mail of the release');
      const failed = await inbox.receive(({ subject }) => subject.startsWith('Release failed'), MAIL_SECONDS);
      if (!failed) throw new NotHeld('no mail of the failed release');
      return { found: `"${released.subject}", "${failed.subject}"` };
    });
  await attempt('Nightly rule', async () => {
    const schedules = await schedulesIn(clients, name);
    return schedules.length > 0 ? { found: schedules.join(', ') } : undefined;
  });
}
