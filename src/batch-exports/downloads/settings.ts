import type { LinkSigner } from './links.ts';

/** What file downloads need beside the ports of the whole feature. */
export interface DownloadSettings {
  /** SLUICE_DOWNLOADS_ROOT: one directory per run lies below it. */
  readonly root: string;
  /** Downloads of a project in Starting or Running; one more answers 429. */
  readonly most: number;
  /** How long a link to a file is good. */
  readonly linkSeconds: number;
  /** How long files are kept after their run has ended. */
  readonly keepSeconds: number;
  readonly links: LinkSigner;
  /** Aborts when the server stops: who fetches a file then goes on elsewhere, or later, from where it was cut. */
  readonly stopping: AbortSignal;
}
