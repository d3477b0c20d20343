import type { Transition } from '../runs/machine.ts';

/** The states and events of a schedule; docs/state-machines.md, "Schedule". */
export const SCHEDULE_STATES = ['Active', 'Paused', 'Ended', 'Deleted'] as const;
export type ScheduleState = (typeof SCHEDULE_STATES)[number];

export const SCHEDULE_EVENTS = ['tick', 'edit', 'pause', 'unpause', 'end', 'delete'] as const;
export type ScheduleEvent = (typeof SCHEDULE_EVENTS)[number];

export const scheduleMachine: Record<ScheduleState, Record<ScheduleEvent, Transition<ScheduleState>>> = {
  Active: {
    tick: 'Active',
    edit: 'Active',
    pause: 'Paused',
    unpause: 'ignored',
    end: 'Ended',
    delete: 'Deleted',
  },
  Paused: {
    tick: 'ignored',
    edit: 'Paused',
    pause: 'ignored',
    unpause: 'Active',
    end: 'ignored',
    delete: 'Deleted',
  },
  Ended: {
    tick: 'ignored',
    edit: 'Active',
    pause: 'Paused',
    unpause: 'ignored',
    end: 'ignored',
    delete: 'Deleted',
  },
  Deleted: {
    tick: 'ignored',
    edit: 'refused',
    pause: 'refused',
    unpause: 'refused',
    end: 'ignored',
    delete: 'refused',
  },
};

interface ScheduleColumns {
  readonly paused: boolean;
  readonly deleted_at: Date | null;
  readonly next_due_at: Date | null;
}

/** The state is not a column of its own: it follows from three. */
export function scheduleState(row: ScheduleColumns): ScheduleState {
  if (row.deleted_at) return 'Deleted';
  if (row.paused) return 'Paused';
  return row.next_due_at ? 'Active' : 'Ended';
}
