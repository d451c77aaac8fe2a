/**
 * Lengths of Huffman codes from how often each symbol occurs, by two queues: the symbols by count, and the subtrees in the order in
 * which they arise.
 */

/** How often each symbol below `alphabet` occurs. */
export function histogram(symbols: Uint8Array, alphabet: number): Float64Array {
  const counts = new Float64Array(alphabet);
  for (const symbol of symbols) counts[symbol]! += 1;
  return counts;
}

/** 0 for a symbol that does not occur; 1 for one that occurs alone, so that every symbol takes at least a bit. */
export function codeLengths(counts: Float64Array): Uint8Array {
  const lengths = new Uint8Array(counts.length);
  const leaves = [...counts.keys()].filter((symbol) => counts[symbol] !== 0);
  leaves.sort((a, b) => (counts[a] ?? 0) - (counts[b] ?? 0) || a - b);
  if (leaves.length === 1) lengths[leaves[0] ?? 0] = 1;
  if (leaves.length < 2) return lengths;

  // Nodes: the leaves in order, then one for each of the n − 1 joins. A join's weight is never below that of an earlier one.
  const nodes = 2 * leaves.length - 1;
  const weights = new Float64Array(nodes);
  const parents = new Int32Array(nodes);
  for (const [node, symbol] of leaves.entries()) weights[node] = counts[symbol] ?? 0;
  let leaf = 0;
  let join = leaves.length;
  for (let node = leaves.length; node < nodes; node++) {
    for (let child = 0; child < 2; child++) {
      const takesLeaf = leaf < leaves.length && (join >= node || (weights[leaf] ?? 0) <= (weights[join] ?? 0));
      const taken = takesLeaf ? leaf++ : join++;
      weights[node]! += weights[taken] ?? 0;
      parents[taken] = node;
    }
  }
  const depths = new Uint8Array(nodes);
  for (let node = nodes - 2; node >= 0; node--) depths[node] = (depths[parents[node] ?? 0] ?? 0) + 1;
  for (const [node, symbol] of leaves.entries()) lengths[symbol] = depths[node] ?? 0;
  return lengths;
}

/** Shannon's bound for the same symbols, bits per symbol. */
export function entropy(counts: Float64Array): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((bits, count) => (count === 0 ? bits : bits - (count / total) * Math.log2(count / total)), 0);
}
