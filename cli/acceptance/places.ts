import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deployWithCdk } from '../../local/cdk.ts';
import { EmbeddedAws } from '../../local/embedded-aws.ts';
import { ROOT } from '../../local/paths.ts';
import { deployPipeline } from '../../local/pipeline.ts';
import { PipelineClient } from '../pipeline-client.ts';

/** Where an acceptance runs: an account, or an embedded AWS of its own. */
export interface Place {
  install(name: string, signal: AbortSignal): Promise<PipelineClient>;
  reachable(url: string): string;
  /** What stays there though it is of no acceptance, for people; undefined where nothing does. */
  stays?: string;
  close(): Promise<void>;
}

export const EXAMPLE = join(ROOT, 'examples', 'item-prediction');

const newFolder = () => mkdtemp(join(tmpdir(), 'plimsoll-acceptance-'));

/** The account of the AWS configuration. */
export async function inAccount(): Promise<Place> {
  const folder = await newFolder();
  return {
    install: async (pipeline, signal) =>
      new PipelineClient(
        await deployWithCdk({ app: 'infra/app.ts', pipeline, folder, environment: {}, signal }),
      ),
    reachable: (url) => url,
    stays:
      'The bucket of "cdk bootstrap" keeps the bundles that every installation of this version shares. To delete those that nothing uses: npx cdk gc --unstable=gc',
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** An embedded AWS that is there for this acceptance alone. */
export async function inEmbeddedAws(): Promise<Place> {
  const outer = await newFolder();
  // What its owner writes beside the folder of its state goes, too.
  const folder = join(outer, 'aws');
  const remove = () => rm(outer, { recursive: true, force: true });
  const aws = await EmbeddedAws.start({ folder }).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  Object.assign(process.env, aws.environment);
  return {
    install: async (pipeline, signal) =>
      new PipelineClient(await deployPipeline(aws, folder, { pipeline, signal })),
    reachable: (url) => aws.reachable(url),
    close: async () => {
      await aws.stop();
      await remove();
    },
  };
}
