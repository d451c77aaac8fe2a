/** Between dense weights and a compressed layer: share the weights that are left, keep the entries; and back. */
import { countEntries, decodeRelative, encodeRelative } from "./codecs/relative-index.ts";
import { invalidModel, invalidOption } from "./invalid.ts";
import { type CompressedLayer, sizeOf } from "./model.ts";
import { checkFinite, lookUp, type ShareOptions, shareWeights } from "./sharing/share.ts";

export interface DenseLayer {
  readonly name: string;
  readonly shape: readonly number[];
  /** Pruned: zeros are not kept. */
  readonly weights: Float32Array;
  readonly bias?: Float32Array | null;
}

export interface CompressOptions extends ShareOptions {
  /** Bits of a gap, 1 to 8. Default: what gives the fewest bits. */
  readonly indexBits?: number;
}

/** @throws VdnnError `ERR_INVALID_OPTION`, `ERR_INVALID_MODEL` */
export function compressLayer({ name, shape, weights, bias }: DenseLayer, options: CompressOptions): CompressedLayer {
  const { codebook, codes } = shareWeights(weights, options, name);
  return layerOfCodes({ name, shape, codes, codebook, bias: bias ?? null }, options.indexBits);
}

export interface CodedLayer {
  readonly name: string;
  readonly shape: readonly number[];
  /** One per dense weight, 0 for zero. */
  readonly codes: Uint8Array;
  /** A power of two of weights, the first of them 0. */
  readonly codebook: Float32Array;
  readonly bias: Float32Array | null;
}

/** What compressing is after the sharing: for codes whose centroids were trained further. */
export function layerOfCodes({ name, shape, codes, codebook, bias }: CodedLayer, indexBits?: number): CompressedLayer {
  if (codes.length !== sizeOf(shape)) {
    throw invalidModel(
      name,
      `expected ${sizeOf(shape)} weights for the shape [${shape.join(", ")}], got ${codes.length}`,
    );
  }
  const codeBits = Math.log2(codebook.length);
  const bits = indexBits ?? bestIndexBits(codes, codeBits);
  const layer = { name, shape, codeBits, indexBits: bits, codebook, entries: encodeRelative(codes, bits), bias };
  checkLayer(layer);
  return layer;
}

/** Codes of all dense weights. */
export function codesOf(layer: CompressedLayer): Uint8Array {
  return decodeRelative(layer.entries, sizeOf(layer.shape), layer.name);
}

/** The dense weights. */
export function decodeLayer(layer: CompressedLayer): Float32Array {
  return lookUp(codesOf(layer), layer.codebook);
}

/** The width of a gap, 1 to 8 bits, at which code and gap streams are shortest before Huffman coding. */
export function bestIndexBits(codes: Uint8Array, codeBits: number): number {
  let best = { indexBits: 1, bits: Infinity };
  for (let indexBits = 1; indexBits <= 8; indexBits++) {
    const bits = countEntries(codes, indexBits) * (codeBits + indexBits);
    if (bits < best.bits) best = { indexBits, bits };
  }
  return best.indexBits;
}

/** @throws VdnnError that names the layer where it breaks what `CompressedLayer` promises */
export function checkLayer({ name, shape, codeBits, indexBits, codebook, entries, bias }: CompressedLayer): void {
  if (!Number.isInteger(codeBits) || codeBits < 1 || codeBits > 8) {
    throw invalidOption(name, `expected codes of 1 to 8 bits, got ${codeBits}`);
  }
  if (!Number.isInteger(indexBits) || indexBits < 1 || indexBits > 8) {
    throw invalidOption(name, `expected gaps of 1 to 8 bits, got ${indexBits}`);
  }
  if (codebook.length !== 2 ** codeBits) {
    throw invalidOption(name, `${codeBits} bits need a codebook of ${2 ** codeBits} weights, got ${codebook.length}`);
  }
  if (codebook[0] !== 0) throw invalidModel(name, `expected code 0 to stand for 0, not for ${codebook[0]}`);
  checkFinite(codebook, `${name}: codebook`);
  if (bias !== null) checkFinite(bias, `${name}: bias`);
  checkEntries(entries, { name, size: sizeOf(shape), codeBits, indexBits });
}

function checkEntries(
  { codes, gaps }: CompressedLayer["entries"],
  { name, size, codeBits, indexBits }: { name: string; size: number; codeBits: number; indexBits: number },
): void {
  if (codes.length !== gaps.length) throw invalidModel(name, `has ${codes.length} codes but ${gaps.length} gaps`);
  let end = 0;
  for (let i = 0; i < codes.length; i++) {
    const [code = 0, gap = 0] = [codes[i], gaps[i]];
    if (code >= 2 ** codeBits) throw invalidModel(name, `code ${code} of entry ${i} does not fit ${codeBits} bits`);
    if (gap >= 2 ** indexBits) throw invalidModel(name, `gap ${gap} of entry ${i} does not fit ${indexBits} bits`);
    end += gap + 1;
  }
  if (end > size) throw invalidModel(name, `its entries end at weight ${end} of ${size}`);
}
