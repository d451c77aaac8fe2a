/**
 * The flat file in which the authors of Deep Compression published networks (songhan/SqueezeNet-Deep-Compression, `decode.py`). It
 * tells neither names nor shapes: a reader must know them. All little-endian:
 *
 *     u32 entries of each layer, fillers included
 *     per layer: f32 codebook[2^codeBits] · f32 bias[filters] · codes · gaps of 4 bits
 *
 * Codes of 4 bits and gaps lie two to a byte, the first in the low nibble; each stream begins on a byte.
 */
import { packBits, packedBytes, unpackBits } from "../codecs/bits.ts";
import { invalidModel } from "../invalid.ts";
import { checkLayer } from "../layer.ts";
import type { CompressedLayer } from "../model.ts";

/** What a flat file leaves out. */
export interface FlatLayer {
  readonly name: string;
  /** Caffe's `[filters, channels, height, width]` or `[out, in]`. */
  readonly shape: readonly number[];
  /** 8 for the authors' convolutions, 4 for their fully connected layers. */
  readonly codeBits: number;
}

const INDEX_BITS = 4;

/**
 * @param source the file's name, for messages
 * @throws VdnnError `ERR_INVALID_MODEL` for a file that does not hold exactly these layers
 */
export function readFlat(bytes: Uint8Array, layers: readonly FlatLayer[], source = "flat file"): CompressedLayer[] {
  let at = 0;
  const take = (length: number, what: string): Uint8Array => {
    if (at + length > bytes.length) {
      throw invalidModel(source, `ends within ${what}: expected ${at + length} bytes or more, got ${bytes.length}`);
    }
    at += length;
    // A copy, so that it may be viewed as floats; `slice` of a Buffer would be none.
    return new Uint8Array(bytes.subarray(at - length, at));
  };
  const floats = (count: number, what: string): Float32Array => new Float32Array(take(4 * count, what).buffer);

  const counts = new Uint32Array(take(4 * layers.length, "the numbers of entries").buffer);
  const read = layers.map(({ name, shape, codeBits }, i): CompressedLayer => {
    const count = counts[i] ?? 0;
    const codebook = floats(2 ** codeBits, `the codebook of ${name}`);
    const bias = floats(shape[0] ?? 0, `the bias of ${name}`);
    const codes = unpackBits(take(packedBytes(count, codeBits), `the codes of ${name}`), codeBits, count);
    const gaps = unpackBits(take(packedBytes(count, INDEX_BITS), `the gaps of ${name}`), INDEX_BITS, count);
    const layer = { name, shape, codeBits, indexBits: INDEX_BITS, codebook, entries: { codes, gaps }, bias };
    checkLayer(layer);
    return layer;
  });
  if (at !== bytes.length) {
    throw invalidModel(
      source,
      `expected ${at} bytes for ${layers.length} layers, got ${bytes.length}; is it this network?`,
    );
  }
  return read;
}

/** @throws VdnnError `ERR_INVALID_MODEL` for a layer that the format cannot hold */
export function writeFlat(layers: readonly CompressedLayer[]): Uint8Array {
  const counts = Uint32Array.from(layers, ({ entries }) => entries.codes.length);
  const parts = [bytesOf(counts)];
  for (const layer of layers) {
    checkLayer(layer);
    const { name, shape, codeBits, indexBits, codebook, entries, bias } = layer;
    if (indexBits !== INDEX_BITS) throw invalidModel(name, `a flat file has gaps of 4 bits, not of ${indexBits}`);
    if (bias === null || bias.length !== shape[0]) {
      throw invalidModel(name, `a flat file needs ${shape[0]} biases, got ${bias?.length ?? 0}`);
    }
    parts.push(bytesOf(codebook), bytesOf(bias), packBits(entries.codes, codeBits), packBits(entries.gaps, INDEX_BITS));
  }
  return new Uint8Array(Buffer.concat(parts));
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
