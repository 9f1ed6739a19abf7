import { requirePythons } from '../../core/build/uv.ts';
import { pythonUsers } from '../../core/project/target.ts';
import { dim } from '../show/table.ts';
import { type DeployOptions, deploy, prepare } from './deploy.ts';
import { inEmbeddedAws, type LocalPlace } from './in-embedded-aws.ts';
import { rollBackInterrupted } from './rollback.ts';

/** The main job: an embedded AWS, the real pipeline in it, and a release through it. @returns the exit code */
export async function deployLocally(options: DeployOptions & LocalPlace): Promise<number> {
  // What is wrong with the project is said before anything starts.
  const { project, stackName } = await prepare(options, 'stub');
  await requirePythons(pythonUsers(project), project.root);
  return inEmbeddedAws(options, async (place) => {
    if (!options.unlock && (await place.client.isLocked(stackName))) {
      const code = await rollBackInterrupted(place.client, stackName);
      if (code !== 0) return code;
    }
    const code = await deploy(options, place);
    if (!options.keep && !options.json)
      console.log(dim('The embedded AWS ends here; with --keep it stays, for you to call it.'));
    return code;
  });
}
