import { z } from 'zod';

/** An alias as it is now, with its share of traffic for other versions. */
const liveAliasSchema = z.object({
  logicalId: z.string(),
  functionName: z.string(),
  name: z.string(),
  version: z.string(),
  /** By version, from 0 to 1. */
  weights: z.record(z.string(), z.number()),
});
export type LiveAlias = z.infer<typeof liveAliasSchema>;

/** A function as it is now: where its layers and its logs are. */
const liveFunctionSchema = z.object({
  logicalId: z.string(),
  name: z.string(),
  /** ARNs of layer versions. */
  layers: z.array(z.string()),
  /** How long its logs are kept, in days; missing: for ever, or it has none. */
  retentionDays: z.int().optional(),
});

/** What is needed to restore a stack to its state before a release. */
export const snapshotSchema = z.object({
  /** False before a first deployment: a rollback removes the stack. */
  existed: z.boolean(),
  status: z.string().optional(),
  /** ISO time of the stack's last change: it is the same as long as nothing was deployed. */
  changedAt: z.string().optional(),
  /** Key of the template as it was written, and the SHA-256 of its text, hexadecimal. */
  templateKey: z.string().optional(),
  templateSha256: z.string().optional(),
  /** Key of the template as CloudFormation has deployed it, its transforms expanded. */
  processedKey: z.string().optional(),
  capabilities: z.array(z.string()).default([]),
  /** Values as they were; missing where the parameter is NoEcho, whose value CloudFormation alone knows. */
  parameters: z.array(z.object({ key: z.string(), value: z.string().optional() })).default([]),
  tags: z.array(z.object({ Key: z.string(), Value: z.string() })).default([]),
  aliases: z.array(liveAliasSchema).default([]),
  functions: z.array(liveFunctionSchema).default([]),
  /** Whether it had the dashboard of a released stack. */
  dashboard: z.boolean().default(false),
  /** Names of the alarms on its functions. */
  alarms: z.array(z.string()).default([]),
});

export type Snapshot = z.infer<typeof snapshotSchema>;

/** The stack as it is now, or undefined where there is none. */
export interface StackNow {
  status: string;
  changedAt: string;
}

/** The next thing to do during the rollback. */
export type RestoreStep = 'nothing' | 'wait' | 'delete' | 'redeploy' | 'continue-rollback' | 'stuck';

/** Stack states in which CloudFormation takes no order: docs.aws.amazon.com, "Stack status codes". */
export const isBusy = (status: string): boolean =>
  status.endsWith('_IN_PROGRESS') && status !== 'REVIEW_IN_PROGRESS';

/**
 * Decides how to restore a snapshot. Asked again after each step, it ends at `nothing`, whatever state the stack
 * was found in.
 * @param snapshot undefined where the release failed before it took one, and so changed nothing
 */
export function restoreStep(snapshot: Snapshot | undefined, now: StackNow | undefined): RestoreStep {
  if (!snapshot) return 'nothing';
  if (!now || now.status === 'DELETE_COMPLETE') return snapshot.existed ? 'stuck' : 'nothing';
  if (isBusy(now.status)) return 'wait';
  // CloudFormation has tried, and says what it could not remove.
  if (now.status === 'DELETE_FAILED') return 'stuck';
  if (!snapshot.existed) return 'delete';
  if (now.status === 'UPDATE_ROLLBACK_FAILED') return 'continue-rollback';
  // CloudFormation has gone back by itself, or nothing was ever changed.
  if (now.status === 'UPDATE_ROLLBACK_COMPLETE' || now.changedAt === snapshot.changedAt) return 'nothing';
  if (
    now.status === 'UPDATE_COMPLETE' ||
    now.status === 'IMPORT_COMPLETE' ||
    now.status === 'CREATE_COMPLETE'
  )
    return 'redeploy';
  return 'stuck';
}
