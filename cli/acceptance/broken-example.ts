import { cp, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ProjectError } from '../../core/errors.ts';

const HANDLER = join('functions', 'predictions', 'app.py');
const BEGIN = 'def handler(event, context):\n';
/** Only what comes through the API has a request context: smoke events pass, and the endpoint fails once it is live. */
const BUG = `    if "requestContext" in event:\n        return answer(500, {"message": "broken on purpose"})\n`;

/** A copy of the example with a bug that only shows once it is live. @throws ProjectError where the example has changed */
export async function writeBrokenExample(example: string, folder: string): Promise<void> {
  await cp(example, folder, {
    recursive: true,
    filter: (path) => !['.plimsoll', '.aws-sam', '__pycache__'].includes(basename(path)),
  });
  const file = join(folder, HANDLER);
  const text = await readFile(file, 'utf8');
  if (!text.includes(BEGIN)) throw new ProjectError(`${file}: no line "${BEGIN.trim()}" to put a bug behind`);
  await writeFile(file, text.replace(BEGIN, BEGIN + BUG));
}
