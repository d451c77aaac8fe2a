/** A compressed model as the bytes of its file, and back. What is a file is container.ts, what is in the body header.ts. */
import { packBits, packedBytes, unpackBits } from "../codecs/bits.ts";
import { decodeHuffman, encodeHuffman } from "../codecs/huffman.ts";
import { invalidModel } from "../invalid.ts";
import { checkLayer } from "../layer.ts";
import { type CompressedLayer, type CompressedModel, type DenseTensor, sizeOf } from "../model.ts";
import { checkFinite } from "../sharing/share.ts";
import { unwrap, wrap } from "./container.ts";
import {
  checkHeader,
  type DenseHeader,
  type LayerHeader,
  type ModelHeader,
  SCHEMA,
  type StreamHeader,
} from "./header.ts";

export interface EncodeOptions {
  /** Huffman-codes each stream that gets shorter by it, its table counted. Default true. */
  readonly huffman?: boolean;
}

/** @throws VdnnError for a model that breaks its own promises or has weights that are not finite */
export function encodeModel(model: CompressedModel, { huffman = true }: EncodeOptions = {}): Uint8Array {
  const { name, topology, metadata } = model;
  const sections: Uint8Array[] = [];
  const put = (values: Float32Array): void => {
    sections.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  };
  const putStream = (values: Uint8Array, bits: number): StreamHeader => {
    const packed = packBits(values, bits);
    const coded = huffman ? huffmanSection(values, 2 ** bits) : packed;
    const section = coded.length < packed.length ? coded : packed;
    sections.push(section);
    return { encoding: section === packed ? "packed" : "huffman", bytes: section.length };
  };
  const layers = model.layers.map((layer): LayerHeader => {
    checkLayer(layer);
    const { codeBits, indexBits, codebook, entries, bias } = layer;
    put(codebook);
    if (bias !== null) put(bias);
    const codes = putStream(entries.codes, codeBits);
    const gaps = putStream(entries.gaps, indexBits);
    const { name: layerName, shape } = layer;
    return {
      name: layerName,
      shape,
      codeBits,
      indexBits,
      entries: entries.codes.length,
      bias: bias?.length ?? null,
      codes,
      gaps,
    };
  });
  const dense = model.dense.map((tensor): DenseHeader => {
    checkDense(tensor);
    put(tensor.values);
    return { name: tensor.name, shape: tensor.shape };
  });
  const header: ModelHeader = { schema: SCHEMA, name, topology, metadata, layers, dense };
  return wrap(header, sections);
}

/**
 * @param source the file's name, for messages
 * @throws VdnnError `ERR_INVALID_MODEL`
 */
export function decodeModel(file: Uint8Array, source = "compressed model"): CompressedModel {
  const contents = unwrap(file, source);
  const header = checkHeader(contents.header, source);
  const { body } = contents;
  let at = 0;
  const take = (bytes: number, what: string): Uint8Array => {
    if (at + bytes > body.length) throw invalidModel(source, `its body ends within ${what}`);
    at += bytes;
    return body.subarray(at - bytes, at);
  };
  // Copied, because floats must lie on multiples of 4 bytes; `slice` of a Buffer would be no copy.
  const floats = (count: number, what: string): Float32Array =>
    new Float32Array(new Uint8Array(take(4 * count, what)).buffer);

  const layers = header.layers.map((layer): CompressedLayer => {
    const { name, shape, codeBits, indexBits } = layer;
    const codebook = floats(2 ** codeBits, `the codebook of ${name}`);
    const bias = layer.bias === null ? null : floats(layer.bias, `the bias of ${name}`);
    const codes = streamOf(take(layer.codes.bytes, `the codes of ${name}`), layer, "codes");
    const gaps = streamOf(take(layer.gaps.bytes, `the gaps of ${name}`), layer, "gaps");
    const decoded = { name, shape, codeBits, indexBits, codebook, entries: { codes, gaps }, bias };
    checkLayer(decoded);
    return decoded;
  });
  const dense = header.dense.map(({ name, shape }) => ({ name, shape, values: floats(sizeOf(shape), name) }));
  if (at !== body.length) throw invalidModel(source, `has ${body.length - at} bytes that its header does not name`);
  const { name, topology, metadata } = header;
  return { name, layers, dense, topology, metadata };
}

/** The table of lengths, a byte for each symbol, and the coded symbols behind it. */
function huffmanSection(values: Uint8Array, alphabet: number): Uint8Array {
  const { lengths, bytes } = encodeHuffman(values, alphabet);
  const section = new Uint8Array(alphabet + bytes.length);
  section.set(lengths);
  section.set(bytes, alphabet);
  return section;
}

function streamOf(section: Uint8Array, layer: LayerHeader, stream: "codes" | "gaps"): Uint8Array {
  const bits = stream === "codes" ? layer.codeBits : layer.indexBits;
  const what = `${layer.name}: ${stream}`;
  const count = layer.entries;
  if (layer[stream].encoding === "packed") {
    const expected = packedBytes(count, bits);
    if (section.length === expected) return unpackBits(section, bits, count);
    throw invalidModel(what, `expected ${expected} bytes for ${count} entries, got ${section.length}`);
  }
  const alphabet = 2 ** bits;
  // Every symbol takes a bit, which also bounds what a wrong count can allocate.
  if (section.length < alphabet + count / 8)
    throw invalidModel(what, `${section.length} bytes cannot hold ${count} entries`);
  return decodeHuffman({ lengths: section.subarray(0, alphabet), bytes: section.subarray(alphabet), count }, what);
}

function checkDense({ name, shape, values }: DenseTensor): void {
  if (values.length !== sizeOf(shape)) {
    throw invalidModel(
      name,
      `expected ${sizeOf(shape)} values for the shape [${shape.join(", ")}], got ${values.length}`,
    );
  }
  checkFinite(values, name);
}
