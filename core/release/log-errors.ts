/** What in a Python function's log is an error: the runtime's own lines and those of the logging module. */

/** Lambda's Python runtime writes `[ERROR]` before an exception and before logger.error (text format of logs). */
const TEXT =
  /^\[(ERROR|CRITICAL)\]|Task timed out after|Process exited before completing|Runtime\.ExitError|signal: killed/;
/** The same level in Lambda's JSON log format. */
const JSON_LEVEL = /"level"\s*:\s*"(ERROR|CRITICAL|FATAL)"/;

/** For FilterLogEvents: any line that could be one. `errorLines` then decides. */
export const LOG_ERROR_PATTERN =
  '?ERROR ?CRITICAL ?FATAL ?"Task timed out" ?"Process exited" ?"Runtime.ExitError" ?"signal: killed"';

/** The lines of a log that are errors. */
export function errorLines(log: string): string[] {
  return log.split('\n').filter((line) => TEXT.test(line) || JSON_LEVEL.test(line));
}

/** The request that a log, or its end, reports on: as text, or as JSON where the function logs so. */
export const requestIdIn = (log: string): string | undefined =>
  /(?:REPORT RequestId: |"type":\s*"platform\.report".*?"requestId":\s*")([0-9a-f-]{36})/s.exec(log)?.[1];

/** Whether a message is the last one that Lambda writes for a request. */
export const isReport = (message: string): boolean =>
  message.startsWith('REPORT RequestId: ') || /"type":\s*"platform\.report"/.test(message);
