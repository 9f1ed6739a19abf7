import { createHash } from 'node:crypto';
import { mkdtemp, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expandSam } from '../../core/build/sam.ts';
import { isLeftover } from '../../core/build/tree.ts';
import { writeZip } from '../../core/build/zip.ts';
import { TemplateError } from '../../core/errors.ts';
import { MAX_TEMPLATE_BYTES } from '../../core/project/files.ts';
import type { Scope } from '../../core/project/intrinsics.ts';
import { type NestedTemplate, withNested } from '../../core/project/nested.ts';
import type { Project } from '../../core/project/project.ts';
import { listSources } from '../../core/project/sources.ts';
import type { ProjectTemplate } from '../../core/project/template.ts';
import { withStubs } from '../../core/project/unbuilt.ts';
import { uploadsOf, withUploads } from '../../core/project/uploads.ts';
import { refuseForeignRights, type Within, withBoundary } from '../../core/release/boundary.ts';
import type { BuildPlan } from '../../core/release/build-plan.ts';
import { markedTemplate } from '../../core/release/deployable.ts';
import { isOurs } from '../../core/release/plan.ts';
import { keys } from '../../core/release/release.ts';
import { templateUrl } from '../../core/release/template-url.ts';
import { sha256 } from '../../core/sha256.ts';
import type { Remote } from './remote.ts';

/** The files that it names are in it by now. @throws TemplateError */
function refuseTooLarge(file: string, text: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_TEMPLATE_BYTES)
    throw new TemplateError(
      `${file}: ${bytes} bytes with the definitions that it names, CloudFormation takes ${MAX_TEMPLATE_BYTES}; move some of it into a nested stack`,
    );
}

/** Makes the templates of one project ready for CloudFormation. */
export class Templates {
  constructor(
    private readonly project: Project,
    private readonly plan: BuildPlan,
    private readonly remote: Remote,
    private readonly workdir: string,
    private readonly say: (line: string) => void,
  ) {}

  private expand(template: Readonly<Record<string, unknown>>, parameters: Readonly<Record<string, string>>) {
    return expandSam({ template, parameters, region: this.remote.region, workdir: this.workdir });
  }

  /** A template with the files that it names in the artifact bucket, by their content; a folder goes as a zip. */
  private async withUploaded(
    file: string,
    document: Record<string, unknown>,
    scope: Scope,
  ): Promise<Record<string, unknown>> {
    const { root } = this.project;
    const { bucket } = this.remote;
    const uploads = await uploadsOf(root, file, document, scope, (error) => {
      throw error;
    });
    const places = [];
    for (const upload of uploads) {
      const path = await this.asFile(join(root, upload.from));
      const hash = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      const key = keys.upload(hash, basename(path));
      this.say(`uploading ${upload.from}`);
      await this.remote.uploadFile(key, path, 'application/octet-stream');
      places.push({ upload, place: { bucket, key } });
    }
    return withUploads(document, places);
  }

  private isUnbuilt(logicalId: string): boolean {
    return this.project.unbuilt.some((one) => one.logicalId === logicalId);
  }

  private async asFile(path: string): Promise<string> {
    if (!(await stat(path)).isDirectory()) return path;
    const zip = join(await mkdtemp(join(this.workdir, 'upload-')), `${basename(path)}.zip`);
    await writeZip(
      path,
      listSources(path, '', isLeftover).map((one) => one.path),
      zip,
    );
    return zip;
  }

  /** One of them marked, with the boundary on its roles. @param inside what stands before its logical ids in the plan */
  private ready(
    { document, layers, functions }: ProjectTemplate,
    inside: string,
    nested: ReadonlyMap<string, string>,
  ): Record<string, unknown> {
    const { bucket, rights } = this.remote;
    const idOf = ({ logicalId }: { logicalId: string }) => logicalId.slice(inside.length);
    const fetching = this.plan.fetch ? functions.filter(isOurs).map(idOf) : [];
    const marked = markedTemplate(withStubs(withNested(document, nested), this.project.unbuilt, inside), {
      inside,
      layers: layers.map(idOf),
      functions: functions.map(idOf).filter((id) => !this.isUnbuilt(inside + id)),
      ...(fetching.length > 0 ? { fetch: { bucket, functions: fetching } } : {}),
    });
    return withBoundary(marked, rights);
  }

  /**
   * Puts nested templates into the artifact bucket, under the hash of their text, the innermost first: with the boundary on
   * their roles, and expanded, so that what was looked at is what is deployed.
   * @returns where they lie, by logical id
   */
  private async publish(
    nested: readonly NestedTemplate[],
    outer: Within,
    inside: string,
  ): Promise<Map<string, string>> {
    const { bucket, region, rights } = this.remote;
    const urls = new Map<string, string>();
    for (const { logicalId, file, template: read, scope, given, nested: inner } of nested) {
      const { document } = read;
      const path = `${inside}${logicalId}.`;
      const within = { template: document, scope, outer: { given, within: outer } };
      refuseForeignRights(file, within, rights);
      const uploaded = { ...read, document: await this.withUploaded(file, document, scope) };
      const template = this.ready(uploaded, path, await this.publish(inner, within, path));
      if (document['Transform'] !== undefined) this.say(`expanding the SAM transform of ${file}`);
      const text = JSON.stringify(
        document['Transform'] === undefined ? template : await this.expand(template, scope.parameters),
      );
      refuseTooLarge(file, text);
      const key = keys.nested(sha256(text));
      await this.remote.writeText(key, text);
      urls.set(logicalId, templateUrl(region, bucket, key));
    }
    return urls;
  }

  /**
   * The project's own template: marked, with the boundary on its roles, and expanded where functions have aliases: only then
   * is it for us to say when these move. @throws UnsupportedProjectError, TemplateError
   */
  async main(): Promise<Record<string, unknown>> {
    const { template, templateFile, nested } = this.project;
    const { document, hasAliases, scope } = template;
    const { release, rights } = this.remote;
    const within = { template: document, scope };
    refuseForeignRights(templateFile, within, rights);
    const uploaded = { ...template, document: await this.withUploaded(templateFile, document, scope) };
    const ready = this.ready(uploaded, '', await this.publish(nested, within, ''));
    if (hasAliases) this.say('expanding the SAM transform: functions have aliases');
    const result = hasAliases ? await this.expand(ready, release.parameters) : ready;
    refuseTooLarge(templateFile, JSON.stringify(result));
    return result;
  }
}
