import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DescribeStateMachineCommand, SFNClient } from '@aws-sdk/client-sfn';
import { Listr } from 'listr2';
import { machine } from '../../core/build/artifact.ts';
import { ALL } from '../../core/release/boundary.ts';
import type { PipelineOutputs } from '../../core/release/pipeline-outputs.ts';
import { EmbeddedAws } from '../../local/embedded-aws.ts';
import { pipelineFingerprint } from '../../local/fingerprint.ts';
import { STATE } from '../../local/paths.ts';
import { deployPipeline } from '../../local/pipeline.ts';
import { placeholdersIn } from '../../local/placeholders.ts';
import { PipelineClient } from '../pipeline-client.ts';
import { rendererOf } from '../show/renderer.ts';
import { dim, duration } from '../show/table.ts';
import type { Place } from './deploy.ts';

/** What any command needs to say to have an embedded AWS with the pipeline in it. */
export interface LocalPlace {
  json: boolean;
  port?: number;
  /** Folder of the embedded AWS's state. @default .plimsoll/aws of the checkout */
  state?: string;
  /** While another command uses the folder. @default refuse */
  whenLocked?: 'refuse' | 'wait';
  /** Whether the embedded AWS stays until Ctrl-C. @default false */
  keep?: boolean;
}

interface Started {
  aws: EmbeddedAws;
  outputs: PipelineOutputs;
}

/** Whether Step Functions knows the machines that CloudFormation names: state that was cut off may not fit together. */
async function isWhole(
  aws: EmbeddedAws,
  { DeployMachine, RollbackMachine }: PipelineOutputs,
): Promise<boolean> {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } =
    aws.environment;
  const credentials = { accessKeyId, secretAccessKey };
  const sfn = new SFNClient({ endpoint: aws.endpoint, region: aws.region, credentials });
  const known = [DeployMachine, RollbackMachine].map((stateMachineArn) =>
    sfn.send(new DescribeStateMachineCommand({ stateMachineArn })).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(known)).every(Boolean);
}

/**
 * Whoever runs it owns all of this AWS: templates may name roles that are somewhere else, and ask for
 * whatever it can create; what a laptop cannot build is left
 * out. Its Lambda runs what this machine runs. Nobody calls its functions, so that one look at the alarms after each step of traffic shows as much as ten minutes.
 */
const LAPTOP = {
  context: { roles: ALL, unbuilt: 'stub', types: ALL, longestBake: '5', processors: machine() },
};

/** The pipeline in an embedded AWS; undefined where the state that was found cannot be used. */
async function deployedPipeline(
  aws: EmbeddedAws,
  folder: string,
  sources: Promise<string>,
): Promise<PipelineOutputs | undefined> {
  const outputs = await deployPipeline(aws, folder, { ...LAPTOP, sources }).catch((error: unknown) => {
    if (aws.isFresh) throw error;
    return undefined;
  });
  return outputs && (aws.isFresh || (await isWhole(aws, outputs))) ? outputs : undefined;
}

/**
 * Starts an embedded AWS and brings the pipeline in it up to date. State that does not fit together is made anew.
 * @param onStart is given each embedded AWS that is started, to stop it
 */
async function startPipeline(
  { port, json, state, whenLocked }: LocalPlace,
  onStart: (aws: EmbeddedAws) => void,
): Promise<Started> {
  const folder = state === undefined ? join(STATE, 'aws') : resolve(state);
  const startAws = async () => {
    const wait = whenLocked === 'wait';
    const aws = await EmbeddedAws.start({ folder, wait, ...(port === undefined ? {} : { port }) });
    onStart(aws);
    return aws;
  };
  const begin = performance.now();
  // Read while the embedded AWS starts; a failure surfaces where the answer is awaited.
  const sources = pipelineFingerprint();
  sources.catch(() => {});
  const list = new Listr<Partial<Started>>(
    [
      {
        title: 'Start the embedded AWS',
        task: async (context, task) => {
          context.aws = await startAws();
          task.title = `Embedded AWS at ${context.aws.endpoint}`;
        },
      },
      {
        title: 'Deploy the pipeline with CDK',
        task: async (context, task) => {
          if (!context.aws) return;
          let outputs = await deployedPipeline(context.aws, folder, sources);
          if (!outputs) {
            task.output = 'The state of the embedded AWS does not fit together; it is made anew.';
            await context.aws.stop();
            await rm(folder, { recursive: true, force: true });
            context.aws = await startAws();
            outputs = await deployPipeline(context.aws, folder, LAPTOP);
          }
          context.outputs = outputs;
          task.title = `Pipeline deployed with CDK ${dim(duration(performance.now() - begin))}`;
        },
      },
    ],
    rendererOf(json),
  );
  return (await list.run()) as Started;
}

/** What a shell says of a program that Ctrl-C has ended. */
const INTERRUPTED = 130;

/** Resolves at the first Ctrl-C or termination. */
const interrupted = () =>
  new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });

/**
 * Does something in an embedded AWS that ends with the command, however that ends.
 * @returns the exit code of `work`, or that of an interruption
 */
export async function inEmbeddedAws(
  options: LocalPlace,
  work: (place: Place) => Promise<number>,
): Promise<number> {
  let aws: EmbeddedAws | undefined;
  let isStopped = false;
  const stopped = interrupted().then(() => {
    isStopped = true;
    return INTERRUPTED;
  });
  const run = async () => {
    const started = await startPipeline(options, (one) => {
      aws = one;
    });
    Object.assign(process.env, started.aws.environment);
    const client = new PipelineClient(started.outputs);
    const reachable = (url: string) => started.aws.reachable(url);
    return work({ client, reachable, unbuilt: 'stub', placeholdersIn });
  };
  try {
    // What fails because the embedded AWS was ended under it is no news.
    const done = run().catch((error: unknown) => (isStopped ? INTERRUPTED : Promise.reject(error)));
    const code = await Promise.race([done, stopped]);
    if (isStopped || !options.keep) return code;
    console.error(`\nThe embedded AWS stays at ${aws?.endpoint} until Ctrl-C.`);
    await stopped;
    return code;
  } finally {
    await aws?.stop();
    // Whoever still polls would go on without it.
    if (isStopped) process.exit(INTERRUPTED);
  }
}
