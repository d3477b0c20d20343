/** The job type that historical exports have in the activity log and in the API (contract.md §11.3, §11.5). */
export const JOB_TYPE = 'Export historical events V2';

export type TriggerPayload = Readonly<Record<string, unknown>>;

/** `detail` of the entries job_triggered, export_success and export_fail. */
export interface TriggerDetail {
  readonly trigger: {
    readonly job_type: string;
    readonly job_id: string;
    /** Of export_fail: `{failure_reason}`. */
    readonly payload: TriggerPayload;
  };
}
