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
