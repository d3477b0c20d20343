/**
 * chDB invents query ids of its own, so the caller's travels in a comment in front of the query, which
 * `system.processes` shows. Hex keeps any id from ending the comment.
 *
 * A query with parameters is shown as ClickHouse rewrote it, without comments. Its mark leads the setting `log_comment`,
 * which is shown, too.
 */
export const mark = (queryId: string): string => `/*query_id:${Buffer.from(queryId).toString('hex')}*/ `;

const COMMENT = "Settings['log_comment']";
const MARKED = `if(startsWith(query, '/*query_id:'), query, ${COMMENT})`;

/** SQL that reads the caller's query id back from the columns of `system.processes`. */
export const QUERY_ID_SQL = `unhex(extract(${MARKED}, '^/\\\\*query_id:([0-9a-f]*)\\\\*/'))`;

/** SQL for the text as the caller sent it. */
export const QUERY_SQL = "replaceRegexpOne(query, '^/\\\\*query_id:[0-9a-f]*\\\\*/ ', '')";

/** SQL that is true for what carries this mark; `quoted` is the mark as a literal. */
export const carries = (quoted: string): string =>
  `startsWith(query, ${quoted}) OR startsWith(${COMMENT}, ${quoted})`;
