import { basename } from 'node:path';
import { messageOf, PlimsollError } from '../../core/errors.ts';
import { openProjectAt } from '../../core/project/open.ts';
import type { Project } from '../../core/project/project.ts';
import { pythonsOf } from '../../core/project/target.ts';
import type { Finding } from './check.ts';

/** What is said of a project that could be read. */
export function judgeProject(project: Project): Finding[] {
  const { templateFile, layers, functions } = project;
  const processors = [...new Set(functions.map(({ architecture }) => architecture))];
  const untested = functions.filter(({ smoke }) => smoke.length === 0).map(({ logicalId }) => logicalId);
  return [
    {
      what: 'Template',
      verdict: 'ok',
      found: `${templateFile}: ${functions.length} functions, ${layers.length} layers, Python ${pythonsOf(project).join(', ')}, ${processors.join(', ')}`,
    },
    untested.length === 0
      ? { what: 'Smoke events', verdict: 'ok', found: 'every function has one' }
      : {
          what: 'Smoke events',
          verdict: 'warning',
          found: `none for ${untested.join(', ')}`,
          remedy: 'Add smoke/NAME.json with {"event": …, "expect": …} beside the code of each function.',
        },
  ];
}

/** Reads a project as every command does. @returns it, where it can be read, and what is said of it */
export async function readForDoctor(root: string): Promise<{ project?: Project; findings: Finding[] }> {
  try {
    const { project } = await openProjectAt({ project: root });
    return { project, findings: judgeProject(project) };
  } catch (error) {
    if (!(error instanceof PlimsollError)) throw error;
    // A message ends with its next step, after a semicolon or on lines of its own.
    const [found = '', ...rest] = messageOf(error).split(/;\s|\n\s*/);
    const remedy = rest.join('; ') || `Correct ${basename(root)} and run plimsoll doctor again.`;
    return { findings: [{ what: 'Project', verdict: 'failed', found, remedy }] };
  }
}
