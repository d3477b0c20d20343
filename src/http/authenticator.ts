import type { Caller, Project } from './endpoint.ts';

/** As a URL names a project: its number, or the caller's current one. */
export type ProjectReference = number | '@current';

/** A project and whether the caller may enter it. */
export interface FoundProject {
  readonly project: Project;
  readonly member: boolean;
}

/** What `http/` asks of whoever knows the accounts. */
export interface Authenticator {
  /**
   * The active owner of a personal API key and, looked up on the same way to the database, the project that the request is
   * about; null = unknown, revoked or inactive, and of the project: not asked for, or no such project.
   */
  authenticate(
    key: string,
    project?: ProjectReference | null,
  ): Promise<{ readonly caller: Caller; readonly project: FoundProject | null } | null>;
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
