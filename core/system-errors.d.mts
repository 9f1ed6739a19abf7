export function systemSentence(error: unknown): string | undefined;
export function isDebugging(): boolean;
export function explain(error: unknown): string;
export function exitCodeOfError(error: unknown): 1 | 2;
export function systemErrorIn(text: string): (Error & { code: string; path?: string }) | undefined;
export function namingPath<T>(path: string, call: Promise<T>): Promise<T>;
