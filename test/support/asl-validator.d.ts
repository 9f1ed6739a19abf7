declare module 'asl-validator' {
  interface Options {
    checkPaths?: boolean;
    checkArn?: boolean;
  }
  /** Holds a definition against the JSON schemas of the Amazon States Language. */
  export default function validate(
    definition: unknown,
    options?: Options,
  ): { isValid: boolean; errors: unknown[]; errorsText(separator?: string): string };
}
