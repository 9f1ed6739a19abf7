import { objectOf } from '../../core/project/intrinsics.ts';
import { withNested } from '../../core/project/nested.ts';
import { type Deployment, deployableTemplate } from '../../core/release/deployable.ts';
import {
  givenValues,
  type Held,
  type Holds,
  heldAliases,
  holdable,
  holdsOf,
  withHoldsOf,
  withVersionsOf,
} from '../../core/release/hold.ts';
import { keys } from '../../core/release/release.ts';
import type { LiveAlias } from '../../core/release/snapshot.ts';
import { templateUrl } from '../../core/release/template-url.ts';
import { sha256 } from '../../core/sha256.ts';
import type { ArtifactBucket } from './artifact-bucket.ts';
import { hashOf, nestedBefore, readNested, type Template } from './nested-templates.ts';

/** One of the templates of a release. */
interface Level {
  /** As it was planned: with marks in the place of what is built. */
  template: Template;
  /** The one that runs in its place; {} where nobody can say. */
  before: Template;
  /** Values of its parameters, as far as they are known. */
  parameters: Readonly<Record<string, string>>;
  /** What stands before its logical ids in the plan: `Data.`; empty for the outermost. */
  inside: string;
}

interface Filled {
  template: Template;
  /** Aliases that are live and whose functions change, those of nested stacks included. */
  held: Held[];
  /** Values of the template's parameters that hold aliases. */
  holds: Holds;
}

/** Puts what a release has built into its templates, and holds their aliases. */
export class ReleaseTemplates {
  /** @param live all aliases of the stack as they are now @param settle whether what was held is proven and live */
  constructor(
    private readonly bucket: ArtifactBucket,
    private readonly region: string,
    private readonly deployment: Deployment,
    private readonly live: readonly LiveAlias[],
    private readonly settle: boolean,
  ) {}

  /**
   * Fills one template in, and those that it nests: these go into the bucket, under the hash of what they are then. Done
   * twice, it writes the same.
   * @throws ArtifactChangedError where a nested template is not what its name says
   */
  async fill({ template, before, parameters, inside }: Level): Promise<Filled> {
    const own = holdable(deployableTemplate(template, this.deployment), parameters);
    const held = heldAliases(own, before, this.live, inside);
    const urls = new Map<string, string>();
    let holds = holdsOf(own, this.settle ? [] : held, inside);
    let result = this.settle ? own : withVersionsOf(own, before);
    for (const [id, resource] of Object.entries(objectOf(own['Resources']))) {
      const hash = hashOf(resource);
      if (hash === undefined) continue;
      const inner = await this.fill({
        template: await readNested(this.bucket, hash),
        before: await nestedBefore(this.bucket, before, id),
        parameters: givenValues(own, parameters, id),
        inside: `${inside}${id}.`,
      });
      held.push(...inner.held);
      const handing = withHoldsOf(result, id, inner.holds);
      result = handing.template;
      holds = { ...holds, ...handing.holds };
      urls.set(id, await this.publish(inner.template));
    }
    return { template: withNested(result, urls), held, holds };
  }

  private async publish(template: Template): Promise<string> {
    const text = JSON.stringify(template);
    const key = keys.nested(sha256(text));
    await this.bucket.write(key, text);
    return templateUrl(this.region, this.bucket.name, key);
  }
}
