import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { ChangeSetFailedError } from '../core/errors.ts';
import { heldSchema } from '../core/release/hold.ts';
import { releaseSchema } from '../core/release/release.ts';
import { versionsOf } from '../core/release/stack-resources.ts';
import { moveAlias } from './lib/aliases.ts';
import { lambdaHandler } from './lib/handler.ts';
import { stackResources } from './lib/stack.ts';

const inputSchema = z.object({
  release: releaseSchema,
  held: z.array(heldSchema),
  percent: z.int().min(1).max(100),
  /** How long the alarms are watched from now on. */
  bakeSeconds: z.int().min(0),
});

interface Clients {
  cloudformation: CloudFormationClient;
  lambda: LambdaClient;
}

interface Output {
  /** ISO times between which the alarms are watched. */
  since: string;
  until: string;
}

/** Leads a share of the traffic of each held alias to its function's new version; all of it at 100 percent. */
export async function shiftTraffic(
  { release, held, percent, bakeSeconds }: z.output<typeof inputSchema>,
  { cloudformation, lambda }: Clients,
): Promise<Output> {
  const since = new Date();
  const versions = versionsOf(await stackResources(cloudformation, release.stackName));
  await Promise.all(
    held.map((one) => {
      const version = versions.get(one.version);
      if (version === undefined)
        throw new ChangeSetFailedError(`stack ${release.stackName} has no version ${one.version}`);
      return moveAlias(
        lambda,
        one,
        percent === 100
          ? { version, weights: {} }
          : { version: one.from, weights: { [version]: percent / 100 } },
      );
    }),
  );
  return {
    since: since.toISOString(),
    until: new Date(since.getTime() + bakeSeconds * 1000).toISOString(),
  };
}

export const handler = lambdaHandler('ShiftTraffic', inputSchema, (input) =>
  shiftTraffic(input, { cloudformation: new CloudFormationClient(), lambda: new LambdaClient() }),
);
