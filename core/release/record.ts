import { z } from 'zod';

/** How an execution ended, for the release that it carried. */
export const outcomeSchema = z.enum(['RELEASED', 'ROLLED_BACK', 'FAILED', 'ROLLBACK_FAILED']);
export type Outcome = z.infer<typeof outcomeSchema>;

/** What the state machine's Catch gives: the error's name, and for a Lambda function a JSON text with its message. */
export const failureSchema = z.object({
  Error: z.string().default('Unknown'),
  Cause: z.string().default(''),
});
export type Failure = z.infer<typeof failureSchema>;

const lambdaCause = z.object({ errorMessage: z.string() });

/** The message that a person should read. */
export function failureMessage({ Cause }: Failure): string {
  try {
    const parsed = lambdaCause.safeParse(JSON.parse(Cause));
    return parsed.success ? parsed.data.errorMessage : Cause;
  } catch {
    return Cause;
  }
}

/** One release as the table has it: pk stack#NAME, sk release#ID. */
export const releaseRecordSchema = z.object({
  id: z.string(),
  outcome: outcomeSchema,
  source: z.object({ bucket: z.string(), key: z.string(), versionId: z.string().optional() }),
  /** As the start gave them, without NoEcho ones; what it did not give, the stack or the template has. */
  parameters: z.record(z.string(), z.string()),
});
export type ReleaseRecord = z.infer<typeof releaseRecordSchema>;
