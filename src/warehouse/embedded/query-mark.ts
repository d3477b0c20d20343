/**
 * chDB invents query ids of its own, so the caller's travels in a comment in front of the query, which
 * `system.processes` shows. Hex keeps any id from ending the comment.
 */
export const mark = (queryId: string): string => `/*query_id:${Buffer.from(queryId).toString('hex')}*/ `;

/** SQL that reads the caller's query id back from the column `query`. */
export const QUERY_ID_SQL = "unhex(extract(query, '^/\\\\*query_id:([0-9a-f]*)\\\\*/'))";

/** SQL for the text as the caller sent it. */
export const QUERY_SQL = "replaceRegexpOne(query, '^/\\\\*query_id:[0-9a-f]*\\\\*/ ', '')";
