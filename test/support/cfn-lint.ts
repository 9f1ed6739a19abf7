import { execFile } from 'node:child_process';
import { PYTHON, UV } from '../../local/paths.ts';

/** cfn-lint on PyPI; uv keeps it in its cache. */
const VERSION = '1.58.0';

interface Match {
  Filename: string;
  Rule: { Id: string };
  Message: string;
  Location: { Path: (string | number)[] | null };
}

export interface Finding {
  file: string;
  rule: string;
  /** Where in the template, and what is wrong there. */
  what: string;
}

/**
 * What cfn-lint finds in templates, errors and warnings.
 * @param paths of the templates, absolute @throws Error with what uv or cfn-lint says where it does not run
 */
export async function cfnLint(paths: readonly string[], regions: readonly string[]): Promise<Finding[]> {
  const tool = ['tool', 'run', '--quiet', `--python=${PYTHON}`, `--from=cfn-lint==${VERSION}`, 'cfn-lint'];
  const args = [...tool, '--format=json', '--regions', ...regions, '--', ...paths];
  const text = await new Promise<string>((resolve, reject) => {
    execFile(UV, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      // It ends with another code than 0 where it finds something, and then says what.
      if (stdout.trimStart().startsWith('[')) resolve(stdout);
      else reject(new Error(`cfn-lint does not run: ${stderr || error?.message}`));
    });
  });
  return (JSON.parse(text) as Match[]).map(({ Filename, Rule, Message, Location }) => ({
    file: Filename,
    rule: Rule.Id,
    what: `${(Location.Path ?? []).join('/')}: ${Message}`,
  }));
}
