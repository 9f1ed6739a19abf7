import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from '../../local/paths.ts';

/** A call of AWS in the sources. */
export interface AwsCall {
  /** From the root of the checkout, without its ending: `handlers/lib/stack`. */
  file: string;
  /** `DescribeStacks`, `waitUntilFunctionActiveV2`; of a state machine `lambda:invoke`. */
  call: string;
  /** How it is written: sent by itself, page by page, looked at until it is so, or by Step Functions. */
  kind: 'single' | 'pages' | 'wait' | 'state';
  /** Package of the client; none for Step Functions'. */
  client: string | undefined;
}

/** Paths of the files below a folder of the checkout. */
function filesIn(folder: string, ending: string): string[] {
  const entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter(({ name }) => name.endsWith(ending))
    .map(({ parentPath, name }) => join(parentPath, name));
}

const CALL = /\bnew ([A-Z]\w+)Command\(|\bpaginate([A-Z]\w+)\(|\b(waitUntil[A-Z]\w+)\(/g;
const IMPORT = /import \{([^}]*)\} from '(@aws-sdk\/client-[\w-]+)'/g;

/** Every call that the TypeScript of these folders makes through the SDK. */
export function sdkCalls(folders: readonly string[]): AwsCall[] {
  return folders
    .flatMap((folder) => filesIn(folder, '.ts'))
    .flatMap((path) => {
      const text = readFileSync(path, 'utf8');
      const clients = new Map(
        [...text.matchAll(IMPORT)].flatMap(([, names = '', client = '']) =>
          names.split(',').map((name): [string, string] => [name.trim(), client]),
        ),
      );
      return [...text.matchAll(CALL)].map(([, single, pages, wait]): AwsCall => {
        const call = single ?? pages ?? wait ?? '';
        const kind = single ? 'single' : pages ? 'pages' : 'wait';
        const imported = single ? `${single}Command` : pages ? `paginate${pages}` : call;
        const file = relative(ROOT, path).replace(/\.ts$/, '');
        return { file, call, kind, client: clients.get(imported) };
      });
    });
}

/** Every call that the state machines make themselves. */
export function stateMachineCalls(): AwsCall[] {
  return filesIn('state-machines', '.asl.json').flatMap((path) => {
    const file = relative(ROOT, path).replace(/\.asl\.json$/, '');
    const resources = readFileSync(path, 'utf8').matchAll(/"arn:aws:states:::([^"]+)"/g);
    return [...resources].map(([, call = '']): AwsCall => ({ file, call, kind: 'state', client: undefined }));
  });
}
