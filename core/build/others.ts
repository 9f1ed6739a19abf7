/**
 * What a function lacks here and may find in Lambda: modules of layers that others build, and that nobody has looked into.
 */

/** `No module named 'datadog_lambda'`, `No module named 'a.b'`: the name at the top. */
const MISSING = /No module named '([A-Za-z_]\w*)/;

/**
 * The module that is missing and that only a layer of others can bring, or undefined where an error says something else. Pure.
 * @param error words of an import that failed
 * @param own modules that the function and our layers bring
 */
export function onlyOthersBring(error: string, own: readonly string[]): string | undefined {
  const top = MISSING.exec(error)?.[1];
  if (top === undefined || own.some((module) => module.split('.')[0] === top)) return undefined;
  return top;
}
