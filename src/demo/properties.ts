import type { Random } from './random.ts';
import { type Action, BROWSERS, CITIES, PRODUCTS, REFERRERS, SEARCHES, SYSTEMS } from './vocabulary.ts';

export interface Visitor {
  /** 0 = the busiest. */
  readonly rank: number;
  readonly anonymousId: string;
  readonly known: boolean;
  readonly taste: number;
}

type Properties = Record<string, unknown>;

/** What is the same in all events of a session. */
export function sessionProperties(user: Visitor, random: Random): Properties {
  const [city, country, zone] = CITIES[user.taste % CITIES.length] ?? CITIES[0];
  return {
    $session_id: random.uuid(),
    $window_id: random.uuid(),
    $device_id: user.anonymousId,
    $browser: BROWSERS[user.taste % BROWSERS.length],
    $browser_version: 100 + (user.taste % 40),
    $os: SYSTEMS[user.taste % SYSTEMS.length],
    $device_type: user.taste % 3 === 0 ? 'Mobile' : 'Desktop',
    $screen_height: random.pick([844, 900, 1080, 1440]),
    $screen_width: random.pick([390, 1440, 1920, 2560]),
    $referrer: random.pick(REFERRERS),
    $geoip_city_name: city,
    $geoip_country_code: country,
    $timezone: zone,
    $ip: `203.0.113.${user.taste % 256}`,
  };
}

/** What belongs to one event. */
export function actionProperties(action: Action, user: Visitor, random: Random): Properties {
  switch (action) {
    case '$pageview':
    case '$pageleave':
    case '$screen':
      return page(random);
    case '$autocapture':
    case '$rageclick':
      return { ...page(random), ...click(random) };
    case '$identify':
      return {
        $anon_distinct_id: user.anonymousId,
        $set: person(user),
        $set_once: { first_seen_in: 'demo' },
      };
    case '$set':
      return { $set: person(user) };
    case '$exception':
      return {
        ...page(random),
        $exception_list: [{ type: 'TypeError', value: 'x is "undefined"\n\tat cart.js:12' }],
      };
    case '$web_vitals':
      return {
        ...page(random),
        $web_vitals_LCP_value: random.next() * 4000,
        $web_vitals_CLS_value: random.next() / 3,
      };
    case '$feature_flag_called':
      return {
        $feature_flag: 'new-checkout',
        $feature_flag_response: random.pick([true, false, 'variant-b']),
      };
    case 'product searched':
      return { query: random.pick(SEARCHES), results: random.int(80) };
    case 'purchase completed':
    case 'checkout started':
    case 'cart viewed':
      return { ...cart(random), coupon: random.chance(0.2) ? 'SPRING-ÄÖÜ' : null };
    default:
      return { ...page(random), product: product(random) };
  }
}

function page(random: Random): Properties {
  const path = random.pick(['/', '/products', '/products/pizza-stone', '/cart', '/über-uns', '/search']);
  const query = random.chance(0.3)
    ? `?utm_source=newsletter&utm_campaign=sp%C3%A9cial&page=${random.int(20)}`
    : '';
  return {
    $current_url: `https://shop.example${encodeURI(path)}${query}`,
    $pathname: path,
    $host: 'shop.example',
  };
}

function click(random: Random): Properties {
  const text = random.pick(['Add to cart', 'Buy now', 'Weiter »', '詳細', 'Show "more"']);
  return {
    $event_type: 'click',
    $elements: [
      {
        tag_name: 'button',
        $el_text: text,
        attr__class: 'btn btn-primary',
        nth_child: 1 + random.int(4),
        nth_of_type: 1,
      },
      { tag_name: 'form', attr__id: 'cart', nth_child: 2, nth_of_type: 1 },
      { tag_name: 'body', nth_child: 2, nth_of_type: 1 },
    ],
  };
}

function person(user: Visitor): Properties {
  return {
    email: `user-${user.rank}@shop.example`,
    plan: user.taste % 10 === 0 ? 'plus' : 'free',
    interests: PRODUCTS.slice(user.taste % 6, (user.taste % 6) + 3),
  };
}

function product(random: Random) {
  const id = random.int(PRODUCTS.length);
  return { id: 1000 + id, name: PRODUCTS[id], price: 5 + id * 7.25, tags: ['kitchen', `shelf-${id % 4}`] };
}

function cart(random: Random): Properties {
  const items = Array.from({ length: 1 + random.int(4) }, () => ({
    ...product(random),
    quantity: 1 + random.int(3),
  }));
  const revenue = items.reduce((sum, item) => sum + item.price * item.quantity, 0);
  return {
    items,
    revenue: Math.round(revenue * 100) / 100,
    currency: random.pick(['EUR', 'CHF', 'JPY', 'BRL']),
  };
}
