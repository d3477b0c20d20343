import { expect, it } from 'vitest';
import type { Node } from '../ast.ts';
import { printQuery } from './print.ts';

const DEPTH = 12;

it.each([
  ['less', (inner: Node, text: Node) => [inner, text]],
  ['equals', (inner: Node, text: Node) => [text, inner]],
  ['in', (inner: Node, text: Node) => [inner, { node: 'Call', name: 'lower', args: [text] }]],
])('comparisons that are nested as calls of %s() are printed once each', (name, args) => {
  let nested: Node = { node: 'Field', chain: ['event'] };
  for (let level = 0; level < DEPTH; level++) {
    nested = { node: 'Call', name, args: args(nested, { node: 'Constant', value: `level ${level}` }) };
  }
  const select_from = { node: 'JoinExpr', table: { node: 'Field', chain: ['events'] } };
  const { params } = printQuery({ node: 'SelectQuery', select: [nested], select_from }, 'UTC');
  // Each text is bound whenever it is printed.
  expect(Object.values(params).toSorted()).toEqual(
    Array.from({ length: DEPTH }, (_, level) => `level ${level}`).toSorted(),
  );
});
