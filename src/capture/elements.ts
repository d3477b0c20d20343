/**
 * The text form of the elements a user clicked on, innermost first, as PostHog stores it in
 * `elements_chain`: `tag.class1.class2:key="value"key2="value2"`, joined by `;`, keys sorted.
 */
export function elementsChain(elements: readonly unknown[]): string {
  return elements.filter(isRecord).map(elementText).join(';');
}

/** Longest texts PostHog keeps, characters. */
const MAX_TEXT = 400;
const MAX_HREF = 2048;

type Attributes = Readonly<Record<string, unknown>>;

function elementText(element: Attributes): string {
  const classes = classNames(element.attr__class).map((name) => `.${name.replaceAll('"', '')}`);
  const pairs = Object.entries(attributesOf(element))
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([key, value]) => `${quoted(key)}="${quoted(value)}"`);
  return `${plain(element.tag_name)}${classes.join('')}:${pairs.join('')}`;
}

function attributesOf(element: Attributes): Record<string, string> {
  const attributes: Record<string, string> = {
    'nth-child': plain(element.nth_child) || '0',
    'nth-of-type': plain(element.nth_of_type) || '0',
  };
  const text = plain(element.$el_text).slice(0, MAX_TEXT);
  const href = plain(element.attr__href).slice(0, MAX_HREF);
  const id = plain(element.attr__id);
  if (text) attributes.text = text;
  if (href) attributes.href = href;
  if (id) attributes.attr_id = id;
  for (const [key, value] of Object.entries(element)) {
    if (key.startsWith('attr__')) attributes[key] = plain(value);
  }
  return attributes;
}

function classNames(value: unknown): string[] {
  const names = Array.isArray(value) ? value.map(plain) : plain(value).split(/\s+/);
  return names.filter(Boolean).sort();
}

function plain(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'object') return String(value);
  try {
    return JSON.stringify(value);
  } catch {
    return ''; // thousands of levels deep: no attribute of an element, and nothing to lose the other events for
  }
}

function quoted(text: string): string {
  return text.replaceAll('"', '\\"');
}

function isRecord(value: unknown): value is Attributes {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
