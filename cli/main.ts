import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { killMarked, MARK } from '../core/left-behind.mjs';
import { VERSION } from '../core/version.ts';
import { acceptanceCommand } from './commands/acceptance.ts';
import { buildCommand } from './commands/build.ts';
import { deployCommand } from './commands/deploy-command.ts';
import { doctorCommand } from './commands/doctor.ts';
import { eventsCommand } from './commands/events.ts';
import { layersCommand } from './commands/layers.ts';
import { rollbackCommand } from './commands/rollback.ts';
import { sizeCommand } from './commands/size.ts';
import { report, watchProcess } from './report.ts';
import { runStep, STEPS, type Step } from './steps/step.ts';

// Node 20 is the floor of this project; the SDK's notice that it will need 22 one day says nothing to a user.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

// Whoever started this (bin/plimsoll.mjs) was killed: nothing of this process group outlives it, nor what has left the group.
process.once('disconnect', () => {
  const mark = process.env[MARK];
  if (mark) killMarked(mark);
  process.kill(-process.pid, 'SIGKILL');
});
process.channel?.unref();

const program = new Command('plimsoll')
  .description('Builds, trims, proves and ships the Python layers and functions of a SAM project')
  .version(VERSION)
  // Temporary files are needed by every command: said before anything starts.
  .hook('preAction', () => rmdirSync(mkdtempSync(join(tmpdir(), 'plimsoll-'))))
  .exitOverride();

for (const command of [
  buildCommand(),
  layersCommand(),
  sizeCommand(),
  eventsCommand(),
  deployCommand(),
  rollbackCommand(),
  doctorCommand(),
  acceptanceCommand(),
])
  program.addCommand(command.copyInheritedSettings(program));

program
  .command('step', { hidden: true })
  .description('one build of the pipeline; run by its buildspecs')
  .addArgument(new Argument('<step>').choices(STEPS))
  .action((step: Step) => runStep(step, process.env['ARTIFACT']));

watchProcess();
try {
  await program.parseAsync();
} catch (error) {
  report(error);
}
