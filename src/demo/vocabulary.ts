import type { Random } from './random.ts';

/** What happens in the made-up shop of the demo, and how often: [event, weight]. */
export const ACTIONS = [
  ['$pageview', 300],
  ['$autocapture', 260],
  ['$pageleave', 120],
  ['product viewed', 60],
  ['product searched', 40],
  ['$web_vitals', 30],
  ['$feature_flag_called', 28],
  ['product added to cart', 24],
  ['$screen', 20],
  ['filter applied', 18],
  ['image zoomed', 12],
  ['review read', 12],
  ['video played', 10],
  ['cart viewed', 10],
  ['checkout started', 8],
  ['wishlist item added', 7],
  ['purchase completed', 6],
  ['payment info entered', 6],
  ['shipping method chosen', 5],
  ['coupon applied', 5],
  ['newsletter opened', 5],
  ['$rageclick', 4],
  ['product shared', 4],
  ['product removed from cart', 4],
  ['page scrolled to end', 4],
  ['chat opened', 3],
  ['chat message sent', 3],
  ['user signed in', 3],
  ['user signed up', 2],
  ['$exception', 2],
  ['payment failed', 2],
  ['review written', 2],
  ['order tracked', 2],
  ['language changed', 2],
  ['$set', 2],
  ['address added', 1],
  ['refund requested', 1],
  ['app installed', 1],
  ['password reset', 1],
  ['gift card bought', 1],
] as const satisfies readonly (readonly [string, number])[];

export type Action = (typeof ACTIONS)[number][0] | '$identify';

const TOTAL = ACTIONS.reduce((sum, [, weight]) => sum + weight, 0);

export function pickAction(random: Random): Action {
  let rest = random.int(TOTAL);
  for (const [name, weight] of ACTIONS) {
    rest -= weight;
    if (rest < 0) return name;
  }
  return '$pageview';
}

export const PRODUCTS = [
  'Espresso cups, set of 4',
  'Crème brûlée torch',
  'Gemüsehobel «Zürich»',
  '抹茶 whisk',
  'Cast-iron pan 28 cm',
  'Кофейная мельница',
  'Paella pan, ñ edition',
  'Pizza stone 🍕',
  'Knife "Kyoto" 21 cm',
  'شاي أخضر, 250 g',
  'Bread basket',
  'Tea towel, linen',
] as const;

export const CITIES = [
  ['Zürich', 'CH', 'Europe/Zurich'],
  ['São Paulo', 'BR', 'America/Sao_Paulo'],
  ['東京', 'JP', 'Asia/Tokyo'],
  ['Kraków', 'PL', 'Europe/Warsaw'],
  ['New York', 'US', 'America/New_York'],
  ['Reykjavík', 'IS', 'Atlantic/Reykjavik'],
  ['Αθήνα', 'GR', 'Europe/Athens'],
  ['Nairobi', 'KE', 'Africa/Nairobi'],
] as const;

export const BROWSERS = ['Chrome', 'Safari', 'Firefox', 'Microsoft Edge', 'Samsung Internet'] as const;
export const SYSTEMS = ['Mac OS X', 'Windows', 'iOS', 'Android', 'Linux'] as const;
export const REFERRERS = [
  '$direct',
  'https://www.google.com/',
  'https://duckduckgo.com/?q=pizza+stone&ia=web',
  'https://news.example.org/küche?utm_source=rss',
] as const;
export const SEARCHES = [
  'pan',
  'whisk 抹茶',
  'gift < 50 €',
  '"cast iron"',
  "chef's knife",
  'c:\\temp',
  '',
] as const;
