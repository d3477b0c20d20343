import { expect, it } from 'vitest';

interface Server {
  readonly url: string;
  readonly key: string;
  readonly projectId: number;
}

const EXPORT = {
  name: 'by hand',
  interval: 'hour',
  destination: { type: 'NoOp', config: {} },
};

/** How programs call that nobody generated from our description (contract.md §16). */
export function otherCallers(server: () => Server): void {
  const send = async (method: string, path: string, init: RequestInit = {}) => {
    const { url, key, projectId } = server();
    const answer = await fetch(`${url}/api/projects/${projectId}${path}`, {
      method,
      ...init,
      headers: { Authorization: `Bearer ${key}`, ...init.headers },
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
  };
  const json = (method: string, path: string, body: unknown) =>
    send(method, path, { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });

  it('tools send more keys than there are, and any subset in a PATCH', async () => {
    const created = await json('POST', '/batch_exports/', {
      ...EXPORT,
      interval: 'day',
      projectId: 1,
      reason: 'asked to',
    });
    expect(created.status).toBe(201);
    const path = `/batch_exports/${created.body.id}/`;
    const changed = await json('PATCH', path, { id: created.body.id, timezone: 'Europe/Berlin', extra: {} });
    expect(changed).toMatchObject({ status: 200, body: { timezone: 'Europe/Berlin', name: EXPORT.name } });
    const later = await json('PATCH', path, { offset_hour: 3 });
    expect(later).toMatchObject({ status: 200, body: { offset_hour: 3, interval: 'day' } });
    expect(await send('DELETE', path)).toEqual({ status: 204, body: null });
  });

  it('older generated clients send the whole object to actions, and only cursor and ordering to lists', async () => {
    const { body: whole } = await json('POST', '/batch_exports/', EXPORT);
    const path = `/batch_exports/${whole.id}`;
    expect(await json('POST', `${path}/pause/`, whole)).toEqual({ status: 200, body: { paused: true } });
    expect(await json('POST', `${path}/unpause/`, whole)).toEqual({ status: 200, body: { paused: false } });
    const lists = [`${path}/runs/?ordering=-created_at`, `${path}/backfills/?cursor=`];
    for (const list of lists) {
      expect(await send('GET', list)).toEqual({
        status: 200,
        body: { next: null, previous: null, results: [] },
      });
    }
    const run = `${path}/runs/${whole.id}`;
    for (const action of [`${run}/cancel/`, `${run}/retry/`, `${path}/backfills/${whole.id}/cancel/`]) {
      expect(await json('POST', action, whole)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    await send('DELETE', `${path}/`);
  });

  it('a web page sends no body and says that it is JSON', async () => {
    const { body: created } = await json('POST', '/batch_exports/', EXPORT);
    const empty = { headers: { 'Content-Type': 'application/json' } };
    const path = `/batch_exports/${created.id}`;
    for (const [action, paused] of [
      ['pause', true],
      ['unpause', false],
    ]) {
      expect(await send('POST', `${path}/${action}/`, empty)).toEqual({ status: 200, body: { paused } });
    }
    await send('DELETE', `${path}/`);
  });

  it('follows `next` as it is, through every page', async () => {
    const ids = await Promise.all(
      [1, 2, 3].map(async () => (await json('POST', '/batch_exports/', EXPORT)).body.id as string),
    );
    const seen: string[] = [];
    const { url, key, projectId } = server();
    let next: string | null = `${url}/api/projects/${projectId}/batch_exports/?limit=2`;
    while (next !== null) {
      const answer: Response = await fetch(next, { headers: { Authorization: `Bearer ${key}` } });
      const page = (await answer.json()) as { next: string | null; results: { id: string }[] };
      seen.push(...page.results.map(({ id }) => id));
      next = page.next;
    }
    expect(seen).toEqual(expect.arrayContaining(ids));
    expect(new Set(seen).size).toBe(seen.length);
    for (const id of ids) await send('DELETE', `/batch_exports/${id}/`);
  });
}
