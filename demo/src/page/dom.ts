/** Finding and making elements, with types. */

/** @throws Error when index.html has no such element: a mistake of ours */
export function find<E extends Element>(selector: string, type: new () => E, within: ParentNode = document): E {
  const found = within.querySelector(selector);
  if (found instanceof type) return found;
  throw new Error(`index.html has no ${type.name} that matches ${selector}`);
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: { readonly className?: string; readonly text?: string } = {},
  children: readonly Node[] = [],
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (properties.className !== undefined) element.className = properties.className;
  if (properties.text !== undefined) element.textContent = properties.text;
  element.append(...children);
  return element;
}

/** Writes only what changed: each write costs layout, and a screen reader may speak it. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
