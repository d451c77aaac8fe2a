/**
 * Puts a method over one of TensorFlow.js's own.
 *
 * @param make makes it; `stock` is the one it covers, bound to its owner
 * @returns what takes it off again
 */
export function override<T extends object, K extends keyof T & string>(
  owner: T,
  name: K,
  make: (stock: T[K]) => T[K],
): () => void {
  const stock = owner[name] as (...args: unknown[]) => unknown;
  owner[name] = make(stock.bind(owner) as T[K]);
  return () => void Reflect.deleteProperty(owner, name);
}
