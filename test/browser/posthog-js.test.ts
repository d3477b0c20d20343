import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Capture, KEY, type StoredRow, startCapture, stored } from '../capture/start-capture.ts';
import { type Chromium, startChromium } from '../kit/chromium.ts';
import { type Shop, startShop } from './shop.ts';

let capture: Capture;
let shop: Shop;
let chromium: Chromium;
beforeAll(async () => {
  capture = await startCapture();
  [shop, chromium] = await Promise.all([startShop(capture.url, KEY), startChromium()]);
});
afterAll(async () => {
  await chromium?.close();
  await shop?.close();
  await capture?.close();
});

async function arrived(event: string): Promise<StoredRow & { parsed: Record<string, unknown> }> {
  return vi.waitFor(
    async () => {
      const [row] = await stored(capture.warehouse, event);
      if (!row) throw new Error(`${event} has not arrived.`);
      return { ...row, parsed: JSON.parse(row.properties) };
    },
    { timeout: 20_000, interval: 100 },
  );
}

describe('posthog-js in Chromium', () => {
  it('captures a page view, a click and the leaving of the page', async () => {
    const page = await chromium.browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on(
      'response',
      (answer) => answer.status() >= 400 && complaints.push(`${answer.status()} ${answer.url()}`),
    );

    await page.goto(`${shop.url}/?utm_source=test`);
    const view = await arrived('$pageview');
    expect(view.parsed).toMatchObject({
      $current_url: `${shop.url}/?utm_source=test`,
      title: 'Küchenladen',
      utm_source: 'test',
      $lib: 'web',
      $ip: '127.0.0.1',
      token: KEY,
    });
    expect(Math.abs(Date.parse(`${view.timestamp.replace(' ', 'T')}Z`) - Date.now())).toBeLessThan(30_000);

    await page.click('#buy');
    const click = await arrived('$autocapture');
    expect(click.parsed).toMatchObject({ $event_type: 'click' });
    expect(click.parsed).not.toHaveProperty('$elements_chain');
    expect(click.elements_chain).toMatch(/^button\.btn\.primary:/);
    expect(click.elements_chain).toContain('text="Buy «抹茶»"');
    expect(click.elements_chain).toContain(';main:');
    expect(click.distinct_id).toBe(view.distinct_id);
    expect(click.person_id).toBe(view.person_id);

    await page.goto(`${shop.url}/thanks`);
    expect((await arrived('$pageleave')).distinct_id).toBe(view.distinct_id);
    for (const event of ['$pageview', '$autocapture', '$pageleave']) {
      expect(await stored(capture.warehouse, event)).toHaveLength(1);
    }
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('identifies a person and keeps what was set', async () => {
    const page = await chromium.browser.newPage();
    await page.goto(shop.url);
    await page.evaluate(`posthog.identify('ada@example.org', { plan: 'plus' }, { first: 12345678901 })`);
    const identify = await arrived('$identify');
    expect(identify.distinct_id).toBe('ada@example.org');
    expect(identify.parsed).toMatchObject({ $set: { plan: 'plus' }, $set_once: { first: 12345678901 } });
    await page.close();
  });
});
