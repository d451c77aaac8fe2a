/** Bits of numbers as a short text: equal texts stand for equal bits. Not cryptographic, and it works on pages without a secure origin. */

/** FNV-1a, in four lanes that begin differently. */
const PRIME = 0x01000193;
const SEEDS = [0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35] as const;

export class BitHash {
  readonly #lanes = Uint32Array.from(SEEDS);

  /** Adds the bits of float32 or int32 values, in order. */
  add({ buffer, byteOffset, byteLength }: ArrayBufferView): this {
    // A view may begin anywhere; words may not.
    const bytes = new Uint8Array(byteLength + ((4 - (byteLength % 4)) % 4));
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength));
    const lanes = this.#lanes;
    for (const word of new Uint32Array(bytes.buffer)) {
      for (let lane = 0; lane < lanes.length; lane++) {
        const mixed = Math.imul((lanes[lane] ?? 0) ^ word ^ lane, PRIME);
        // A word's high bits would never reach the low ones otherwise.
        lanes[lane] = mixed ^ (mixed >>> 15);
      }
    }
    return this;
  }

  /** 32 hexadecimal digits. */
  get text(): string {
    return [...this.#lanes].map((lane) => lane.toString(16).padStart(8, "0")).join("");
  }
}
