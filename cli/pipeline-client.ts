import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient, GetItemCommand, paginateQuery } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  ExecutionDoesNotExist,
  paginateGetExecutionHistory,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { z } from 'zod';
import { messageOf, PrerequisiteError } from '../core/errors.ts';
import { type PipelineOutputs, pipelineOutputsSchema } from '../core/release/pipeline-outputs.ts';
import type { HistoryEvent } from '../core/release/progress.ts';
import { type ReleaseRecord, releaseRecordSchema } from '../core/release/record.ts';
import type { Start, startSchema } from '../core/release/release.ts';
import { parseStored, type Stored } from '../core/release/stored.ts';
import { allReleases, lockKey, releaseIdOf } from '../core/release/table.ts';

const POLL_MS = 500;

export interface ExecutionEnd {
  status: string;
  error?: string | undefined;
  cause?: string | undefined;
  output?: string | undefined;
}

/** The pipeline in an account, as the command line uses it. Region and credentials come from the environment. */
export class PipelineClient {
  private readonly s3 = new S3Client();
  private readonly sfn = new SFNClient();
  private readonly dynamodb = new DynamoDBClient();

  constructor(readonly outputs: PipelineOutputs) {}

  /** Finds the pipeline by its stack. @throws PrerequisiteError saying how to install it */
  static async find(stackName: string): Promise<PipelineClient> {
    const cloudformation = new CloudFormationClient();
    const answer = await cloudformation
      .send(new DescribeStacksCommand({ StackName: stackName }))
      .catch((error: unknown) => {
        throw new PrerequisiteError(
          `no pipeline here: ${messageOf(error)}. Install it with "npx cdk deploy", or try --local.`,
        );
      });
    const outputs = Object.fromEntries(
      (answer.Stacks?.[0]?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue]),
    );
    const parsed = pipelineOutputsSchema.safeParse(outputs);
    if (!parsed.success)
      throw new PrerequisiteError(
        `stack ${stackName} is not a pipeline of this version; update it with "npx cdk deploy"`,
      );
    return new PipelineClient(parsed.data);
  }

  /** Uploads a project where no rule starts it by itself. @returns where it lies */
  async upload(stackName: string, zip: string): Promise<Start['source']> {
    const source = { bucket: this.outputs.SourceBucket, key: `uploads/${stackName}.zip` };
    const { VersionId } = await this.s3.send(
      new PutObjectCommand({ Bucket: source.bucket, Key: source.key, Body: await readFile(zip) }),
    );
    return { ...source, ...(VersionId ? { versionId: VersionId } : {}) };
  }

  /** @returns ARN of the execution */
  async start(input: z.input<typeof startSchema>): Promise<string> {
    const { executionArn = '' } = await this.sfn.send(
      new StartExecutionCommand({
        stateMachineArn: this.outputs.DeployMachine,
        input: JSON.stringify(input),
      }),
    );
    return executionArn;
  }

  /** Lets the rollback machine roll a stack back. @returns ARN of the execution */
  async startRollback(stackName: string): Promise<string> {
    const { executionArn = '' } = await this.sfn.send(
      new StartExecutionCommand({
        stateMachineArn: this.outputs.RollbackMachine,
        input: JSON.stringify({ stackName }),
      }),
    );
    return executionArn;
  }

  /** Stops a release; a rule rolls it back. @param executionArn of the deploy machine */
  async stop(executionArn: string): Promise<void> {
    await this.sfn.send(new StopExecutionCommand({ executionArn, cause: 'stopped by the command line' }));
  }

  /** Whether an execution holds the lock of a stack, alive or not. */
  async isLocked(stackName: string): Promise<boolean> {
    const Key = lockKey(stackName);
    const { Item } = await this.dynamodb.send(
      new GetItemCommand({ TableName: this.outputs.ReleasesTable, Key, ConsistentRead: true }),
    );
    return Item !== undefined;
  }

  /** All releases of a stack, oldest first. */
  async releases(stackName: string): Promise<ReleaseRecord[]> {
    const found: ReleaseRecord[] = [];
    const request = { TableName: this.outputs.ReleasesTable, ...allReleases(stackName) };
    for await (const { Items = [] } of paginateQuery({ client: this.dynamodb }, request)) {
      for (const { sk, outcome, source, parameters } of Items)
        found.push(
          releaseRecordSchema.parse({
            id: sk?.S && releaseIdOf(sk.S),
            outcome: outcome?.S,
            source: JSON.parse(source?.S ?? 'null'),
            parameters: JSON.parse(parameters?.S ?? '{}'),
          }),
        );
    }
    return found;
  }

  /** Waits until an execution has ended. */
  async untilEnd(executionArn: string): Promise<ExecutionEnd> {
    for (;;) {
      const end = await this.describe(executionArn);
      if (end.status !== 'RUNNING') return end;
      await sleep(POLL_MS);
    }
  }

  /** What an execution has done until now; nothing where it has not begun yet. */
  async history(executionArn: string): Promise<HistoryEvent[]> {
    const events: HistoryEvent[] = [];
    const request = { executionArn, maxResults: 1000, includeExecutionData: true };
    try {
      for await (const page of paginateGetExecutionHistory({ client: this.sfn }, request)) {
        for (const event of page.events ?? []) {
          events.push({
            type: event.type ?? '',
            at: event.timestamp?.getTime() ?? 0,
            name: event.stateEnteredEventDetails?.name ?? event.stateExitedEventDetails?.name,
            data: event.stateEnteredEventDetails?.input ?? event.stateExitedEventDetails?.output,
          });
        }
      }
    } catch (error) {
      if (!(error instanceof ExecutionDoesNotExist)) throw error;
    }
    return events;
  }

  async describe(executionArn: string): Promise<ExecutionEnd> {
    const {
      status = '',
      error,
      cause,
      output,
    } = await this.sfn.send(new DescribeExecutionCommand({ executionArn }));
    return { status, error, cause, output };
  }

  /** A JSON document of the artifact bucket. */
  async read<S extends z.ZodType>(key: string, schema: S): Promise<z.output<S>> {
    return schema.parse(JSON.parse(await this.readText(key)));
  }

  /** What an execution has stored there. @throws ArtifactChangedError where it is not what was stored */
  async load<S extends z.ZodType>(stored: Stored, schema: S): Promise<z.output<S>> {
    return parseStored(stored, await this.readText(stored.key), schema);
  }

  async loadAll<S extends z.ZodType>(stored: readonly Stored[], schema: S): Promise<z.output<S>[]> {
    const found: z.output<S>[] = [];
    for (const one of stored) found.push(await this.load(one, schema));
    return found;
  }

  private async readText(key: string): Promise<string> {
    const { Body } = await this.s3.send(
      new GetObjectCommand({ Bucket: this.outputs.ArtifactBucket, Key: key }),
    );
    return (await Body?.transformToString()) ?? '';
  }
}
