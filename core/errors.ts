/**
 * Every failure that Plimsoll can name. The `name` is what a state machine's Retry and Catch see, so it is set
 * explicitly and never changes; the message says what failed, the figure and its limit, and the next step.
 */

/** What a program's exit code says: 1 a check failed, 2 wrong use or a broken project. */
export type ExitCode = 1 | 2;

export abstract class PlimsollError extends Error {
  abstract readonly exitCode: ExitCode;
}

/** Declares one failure: `class X extends failure('X', 1) {}` sets the name that the state machine catches. */
function failure<N extends string>(errorName: N, code: ExitCode) {
  class Failure extends PlimsollError {
    declare readonly name: N;
    readonly exitCode = code;
  }
  // On the prototype, so that the stack trace, which is written before fields are set, begins with it.
  Object.defineProperty(Failure.prototype, 'name', { value: errorName });
  return Failure;
}

/** The input of an execution or of a command does not have the documented shape. */
export class InvalidInputError extends failure('InvalidInputError', 2) {}
/** plimsoll.yaml, or another file of the project, cannot be read as what it should be. */
export class ProjectError extends failure('ProjectError', 2) {}
/** The project names a folder or a file outside its own folder. */
export class OutsideProjectError extends failure('OutsideProjectError', 2) {}
/** The template names a file that is not there. */
export class MissingFileError extends failure('MissingFileError', 2) {}
/** template.yaml is not a template that Plimsoll can read. */
export class TemplateError extends failure('TemplateError', 2) {}
/** The template asks for something that this pipeline does not build. */
export class UnsupportedProjectError extends failure('UnsupportedProjectError', 2) {}
/** An archive is not a plain, honest zip: it climbs out of its folder, links, repeats itself or lies. */
export class UnsafeArchiveError extends failure('UnsafeArchiveError', 2) {}
/** A layer of others is not there, or its policy does not let this account read it. */
export class UnreadableLayerError extends failure('UnreadableLayerError', 2) {}
/** The requirements have no common solution, or name something that no index has. */
export class ResolutionError extends failure('ResolutionError', 2) {}
/** A resolved distribution could not be installed: hash mismatch, no wheel for the platform, no network. */
export class InstallError extends failure('InstallError', 1) {}
/** `sam build` could not build what is not ours. */
export class SamBuildError extends failure('SamBuildError', 1) {}
/** Modules of a built artifact do not import in a clean interpreter. */
export class ImportCheckError extends failure('ImportCheckError', 1) {}
/** A workload fails on a tree from which nothing was removed yet. */
export class WorkloadError extends failure('WorkloadError', 1) {}
/** An artifact, or the whole release, is larger than its budget or than Lambda's own limit. */
export class BudgetExceededError extends failure('BudgetExceededError', 1) {}
/** What lies in the artifact bucket, or what Lambda took from there, is not what was validated. */
export class ArtifactChangedError extends failure('ArtifactChangedError', 1) {}
/** A tool that the build needs (uv, a Python of the function's version) is missing. */
export class ToolMissingError extends failure('ToolMissingError', 2) {}
/** The object, the stack or the account is not in a state from which a release can start. */
export class PrerequisiteError extends failure('PrerequisiteError', 2) {}
/** This object version or idempotency key has been taken by another execution already. */
export class AlreadyStartedError extends failure('AlreadyStartedError', 2) {}
/** Another execution is releasing this stack, or has left it so that a human has to look. */
export class StackLockedError extends failure('StackLockedError', 2) {}
/** A CodeBuild build ended otherwise than SUCCEEDED and left no more precise reason. */
export class BuildFailedError extends failure('BuildFailedError', 1) {}
/** The account may run no builds in CodeBuild at all. */
export class BuildQuotaError extends failure('BuildQuotaError', 2) {}
/** CloudFormation refused the change set. */
export class ChangeSetFailedError extends failure('ChangeSetFailedError', 1) {}
/** The change set would delete or replace a resource that holds data. */
export class StatefulChangeError extends failure('StatefulChangeError', 1) {}
/** CloudFormation could not carry the change set out, and has rolled it back. */
export class StackUpdateFailedError extends failure('StackUpdateFailedError', 1) {}
/** The stack, or its change set, is still at work: the state machine waits and asks again. */
export class StackBusyError extends failure('StackBusyError', 1) {}
/** A deployed function, endpoint or log did not answer as its smoke test expects. */
export class SmokeTestFailedError extends failure('SmokeTestFailedError', 1) {}
/** An alarm went off while a part of the traffic went to the new version. */
export class AlarmDuringShiftError extends failure('AlarmDuringShiftError', 1) {}
/** The stack could not be rolled back to its snapshot. */
export class RollbackFailedError extends failure('RollbackFailedError', 1) {}
/** The embedded AWS could not be started, or has died. */
export class EmbeddedAwsError extends failure('EmbeddedAwsError', 2) {}

/** The readable text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
