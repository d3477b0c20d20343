/** Where other stores differ from Amazon; absent = as Amazon. */
export interface Manners {
  /** Uploads are listed by their whole key, unless the prefix is empty, as by MinIO. */
  readonly listsUploadsByKey?: boolean;
  /** A listing of uploads says that there is more, and not from where; or the same marker for ever. */
  readonly uploadMarkers?: 'none' | 'stuck';
  /** Listings of uploads and of parts always go on, from a new marker each time. */
  readonly endlessListings?: boolean;
}
