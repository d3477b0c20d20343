const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** Nested element: a text, a list (the element repeated) or named children; undefined is left out. */
export type Node =
  | string
  | number
  | boolean
  | undefined
  | readonly Node[]
  | { readonly [name: string]: Node };

/** A document with one root in S3's namespace. */
export function document(root: string, content: Node, namespaced = true): string {
  const opening = namespaced ? `<${root} xmlns="${NAMESPACE}">` : `<${root}>`;
  return `${HEAD}${opening}${inner(content)}</${root}>`;
}

function element(name: string, node: Node): string {
  if (node === undefined) return '';
  if (Array.isArray(node)) return node.map((item: Node) => element(name, item)).join('');
  return `<${name}>${inner(node)}</${name}>`;
}

function inner(node: Node): string {
  if (typeof node === 'object' && !Array.isArray(node)) {
    return Object.entries(node)
      .map(([name, child]) => element(name, child))
      .join('');
  }
  return String(node)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;');
}

/** The contents of every `<name>` element, not nested in itself: enough for the two bodies clients send. */
export function elementsOf(xml: string, name: string): string[] {
  const pattern = new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g');
  return [...xml.matchAll(pattern)].map((match) => match[1] as string);
}

/** The text of the first `<name>` element, entities resolved. */
export function textOf(xml: string, name: string): string | undefined {
  const [content] = elementsOf(xml, name);
  return content
    ?.replace(/&#x([0-9a-f]+);/gi, (_all, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replace(/&#(\d+);/g, (_all, number: string) => String.fromCodePoint(Number(number)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
}
