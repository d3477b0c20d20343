import type { EndpointRequest } from './endpoint.ts';

/** Who does it, where: what a feature needs of a request to write it into the activity log. */
export interface Actor {
  readonly userId: number;
  readonly teamId: number;
  readonly organizationId: string;
}

export const actorOf = ({ caller, project }: Pick<EndpointRequest, 'caller' | 'project'>): Actor => ({
  userId: caller.userId,
  teamId: project.id,
  organizationId: project.organizationId,
});
