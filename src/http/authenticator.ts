import type { Caller, Project } from './endpoint.ts';

/** What `http/` asks of whoever knows the accounts. */
export interface Authenticator {
  /** The active owner of a personal API key; null = unknown, revoked or inactive. */
  authenticate(key: string): Promise<Caller | null>;
  /** A project and whether this user may enter it; null = no such project. */
  findProject(id: number, userId: number): Promise<{ project: Project; member: boolean } | null>;
}
