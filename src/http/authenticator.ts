import type { Caller, Project } from './endpoint.ts';

/** As a URL names a project: its number, or the caller's current one. */
export type ProjectReference = number | '@current';

/** A project and whether the caller may enter it. */
export interface FoundProject {
  readonly project: Project;
  readonly member: boolean;
}

/**
 * Who is calling, and the project that the request is about as it was found for them; null = not asked for, or no such
 * project.
 */
export interface Identified {
  readonly caller: Caller;
  readonly project: FoundProject | null;
}

/** What `http/` asks of whoever knows the accounts. */
export interface Authenticator {
  /**
   * The active owner of a personal API key and a project, looked up on the same way to the database; null = unknown, revoked
   * or inactive.
   */
  authenticate(key: string, project?: ProjectReference | null): Promise<Identified | null>;
  /**
   * The person of a session cookie; null = unknown, ended or inactive. `prolonged`: this use moved its end, and the
   * browser's cookies must follow.
   */
  authenticateSession(
    token: string,
  ): Promise<{ readonly caller: Caller; readonly prolonged: boolean } | null>;
  /** A project for this user; null = no such project. */
  findProject(id: number, userId: number): Promise<FoundProject | null>;
}
