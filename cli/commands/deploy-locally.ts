import { join, resolve } from 'node:path';
import { Listr } from 'listr2';
import type { PipelineOutputs } from '../../core/release/pipeline-outputs.ts';
import { EmbeddedAws } from '../../local/embedded-aws.ts';
import { STATE } from '../../local/paths.ts';
import { deployPipeline } from '../../local/pipeline.ts';
import { PipelineClient } from '../pipeline-client.ts';
import { rendererOf } from '../show/renderer.ts';
import { dim, duration } from '../show/table.ts';
import { type DeployOptions, deploy } from './deploy.ts';

export interface LocalOptions extends DeployOptions {
  /** Whether the embedded AWS stays until Ctrl-C. */
  keep: boolean;
  port?: number;
  /** Folder of the embedded AWS's state. @default .plimsoll/aws of the checkout */
  state?: string;
}

interface Started {
  aws: EmbeddedAws;
  outputs: PipelineOutputs;
}

async function start(
  { port, json, state }: LocalOptions,
  onStart: (aws: EmbeddedAws) => void,
): Promise<Started> {
  const folder = state === undefined ? join(STATE, 'aws') : resolve(state);
  const begin = performance.now();
  const list = new Listr<Partial<Started>>(
    [
      {
        title: 'Start the embedded AWS',
        task: async (context, task) => {
          context.aws = await EmbeddedAws.start({ folder, ...(port === undefined ? {} : { port }) });
          onStart(context.aws);
          task.title = `Embedded AWS at ${context.aws.endpoint}`;
        },
      },
      {
        title: 'Deploy the pipeline with CDK',
        task: async (context, task) => {
          if (context.aws) context.outputs = await deployPipeline(context.aws, folder);
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

/** The main job: an embedded AWS, the real pipeline in it, and a release through it. @returns the exit code */
export async function deployLocally(options: LocalOptions): Promise<number> {
  let aws: EmbeddedAws | undefined;
  let isStopped = false;
  const stopped = interrupted().then(() => {
    isStopped = true;
    return INTERRUPTED;
  });
  const release = async () => {
    const started = await start(options, (one) => {
      aws = one;
    });
    Object.assign(process.env, started.aws.environment);
    const client = new PipelineClient(started.outputs);
    return deploy(options, { client, reachable: (url) => started.aws.reachable(url) });
  };
  try {
    // What fails because the embedded AWS was ended under it is no news.
    const released = release().catch((error: unknown) => (isStopped ? INTERRUPTED : Promise.reject(error)));
    const code = await Promise.race([released, stopped]);
    if (isStopped) return code;
    if (!options.keep) {
      if (!options.json)
        console.log(dim('The embedded AWS ends here; with --keep it stays, for you to call it.'));
      return code;
    }
    console.error(`\nThe embedded AWS stays at ${aws?.endpoint} until Ctrl-C.`);
    await stopped;
    return code;
  } finally {
    await aws?.stop();
    // Whoever still polls would go on without it.
    if (isStopped) process.exit(INTERRUPTED);
  }
}
