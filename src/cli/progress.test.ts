import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createProgress } from './progress.ts';

function terminal(columns: number | null) {
  const stream = new PassThrough();
  if (columns !== null) Object.assign(stream, { isTTY: true, columns });
  return { stream, text: () => String(stream.read() ?? '') };
}

describe('createProgress', () => {
  it('writes one plain line per quarter without a terminal', () => {
    const { stream, text } = terminal(null);
    const progress = createProgress(stream, { total: 200, label: 'events.jsonl' });
    for (let done = 0; done <= 200; done += 10) progress.update(done, `${done} rows`);
    progress.end('200 events stored');
    expect(text().split('\n')).toEqual([
      'events.jsonl 25 % 50 rows',
      'events.jsonl 50 % 100 rows',
      'events.jsonl 75 % 150 rows',
      'events.jsonl 100 % 200 rows',
      '200 events stored',
      '',
    ]);
  });

  it('draws a bar in place on a terminal, never wider than it', () => {
    const { stream, text } = terminal(40);
    let now = 0;
    const progress = createProgress(stream, { total: 4, label: 'a', now: () => now });
    progress.update(1, 'x'.repeat(100));
    const first = text();
    expect(first).toContain('a ██████░░░░░░░░░░░░░░░░░░ 25 % x');
    expect(first.split('a ')[1]?.length).toBeLessThanOrEqual(37);
    progress.update(2);
    expect(text()).toBe('');
    now = 100;
    progress.update(2);
    expect(text()).toContain('50 %');
    progress.end('done');
    expect(text()).toMatch(/done\n$/);
  });

  it('manages without a total', () => {
    const { stream, text } = terminal(80);
    createProgress(stream, { total: 0, label: 'a' }).update(5, '5 rows');
    expect(text()).toMatch(/░ {2}5 rows$/);
  });
});
