import { describe, expect, it } from 'vitest';
import { elementsChain } from './elements.ts';

describe('elementsChain', () => {
  it('writes tag, sorted classes and sorted attributes', () => {
    expect(
      elementsChain([
        {
          tag_name: 'a',
          $el_text: 'Say "hi"',
          attr__href: '/x',
          attr__class: 'btn  alpha',
          nth_child: 2,
          nth_of_type: 1,
        },
        { tag_name: 'div', attr__id: 'main', nth_child: 1 },
      ]),
    ).toBe(
      'a.alpha.btn:attr__class="btn  alpha"attr__href="/x"href="/x"nth-child="2"nth-of-type="1"text="Say \\"hi\\""' +
        ';div:attr__id="main"attr_id="main"nth-child="1"nth-of-type="0"',
    );
  });

  it('takes classes as a list, cuts long texts and passes over what is no element', () => {
    const chain = elementsChain([
      null,
      3,
      { tag_name: 'p', attr__class: ['z', 'y"'], $el_text: 'x'.repeat(500) },
    ]);
    expect(chain).toMatch(/^p\.y\.z:/);
    expect(chain).toContain(`text="${'x'.repeat(400)}"`);
    expect(chain).not.toContain('x'.repeat(401));
  });

  it('is empty for no elements', () => expect(elementsChain([])).toBe(''));
});
