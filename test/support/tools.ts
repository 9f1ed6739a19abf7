import { delimiter } from 'node:path';
import { TOOLS_PATH } from '../../local/paths.ts';

// The pinned uv first, as the command line of a checkout has it.
process.env['PATH'] = `${TOOLS_PATH}${delimiter}${process.env['PATH']}`;

// CDK would look at each template that a test synthesises, 5 s a file; test/infra/cfn-lint.test.ts does so once.
process.env['CDK_VALIDATION'] = 'false';
