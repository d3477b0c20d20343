import type { Caller, Project } from './endpoint.ts';

/** What `http/` asks of whoever knows the accounts. */
export interface Authenticator {
  /** The active owner of a personal API key; null = unknown, revoked or inactive. */
  authenticate(key: string): Promise<Caller | null>;
  /**
   * The person of a session cookie; null = unknown, ended or inactive. `prolonged`: this use moved its end, and the
   * browser's cookies must follow.
   */
  authenticateSession(
    token: string,
  ): Promise<{ readonly caller: Caller; readonly prolonged: boolean } | null>;
  /** A project and whether this user may enter it; null = no such project. */
  findProject(id: number, userId: number): Promise<{ project: Project; member: boolean } | null>;
}
