/** The header of a compressed model file, `vdnn-compressed/1`: what its body holds, in the order in which it lies there. */
import { invalidModel } from "../invalid.ts";
import { type JsonObject, type JsonValue, sizeOf } from "../model.ts";

export const SCHEMA = "vdnn-compressed/1";

/** How a stream of codes or gaps lies in the body: packed bits, or a table of code lengths, a byte each, and Huffman's bits. */
export type StreamEncoding = "packed" | "huffman";

/** Body: codebook, bias, codes, gaps. */
export interface LayerHeader {
  readonly name: string;
  readonly shape: readonly number[];
  readonly codeBits: number;
  readonly indexBits: number;
  readonly entries: number;
  /** Floats of the bias, or null. */
  readonly bias: number | null;
  readonly codes: StreamHeader;
  readonly gaps: StreamHeader;
}

export interface StreamHeader {
  readonly encoding: StreamEncoding;
  readonly bytes: number;
}

export interface DenseHeader {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface ModelHeader {
  readonly schema: typeof SCHEMA;
  readonly name: string;
  readonly topology: JsonObject | null;
  readonly metadata: JsonObject;
  readonly layers: readonly LayerHeader[];
  readonly dense: readonly DenseHeader[];
}

/** Dense weights of one tensor: what an array of floats can hold everywhere. */
const MAX_WEIGHTS = 2 ** 30;

/** @throws VdnnError `ERR_INVALID_MODEL` that says which field was expected to be what */
export function checkHeader(header: JsonObject, source: string): ModelHeader {
  const fail = (field: string, expected: string, got: JsonValue | undefined): never => {
    throw invalidModel(source, `header: expected ${field} to be ${expected}, got ${JSON.stringify(got) ?? "nothing"}`);
  };
  const object = (value: JsonValue | undefined, field: string): JsonObject =>
    isObject(value) ? value : fail(field, "an object", value);
  const list = (value: JsonValue | undefined, field: string): readonly JsonValue[] =>
    isList(value) ? value : fail(field, "a list", value);
  const text = (value: JsonValue | undefined, field: string): string =>
    typeof value === "string" ? value : fail(field, "text", value);
  const whole = (value: JsonValue | undefined, field: string, least: number, most: number): number =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most
      ? value
      : fail(field, `a whole number from ${least} to ${most}`, value);
  const shape = (value: JsonValue | undefined, field: string): number[] => {
    const sides = list(value, field).map((side, i) => whole(side, `${field}[${i}]`, 0, MAX_WEIGHTS));
    return sizeOf(sides) <= MAX_WEIGHTS ? sides : fail(field, `at most ${MAX_WEIGHTS} weights`, sides);
  };
  const stream = (value: JsonValue | undefined, field: string): StreamHeader => {
    const { encoding, bytes } = object(value, field);
    if (encoding !== "packed" && encoding !== "huffman") {
      return fail(`${field}.encoding`, '"packed" or "huffman"', encoding);
    }
    return { encoding, bytes: whole(bytes, `${field}.bytes`, 0, Number.MAX_SAFE_INTEGER) };
  };
  const layer = (value: JsonValue, i: number): LayerHeader => {
    const field = `layers[${i}]`;
    const fields = object(value, field);
    return {
      name: text(fields.name, `${field}.name`),
      shape: shape(fields.shape, `${field}.shape`),
      codeBits: whole(fields.codeBits, `${field}.codeBits`, 1, 8),
      indexBits: whole(fields.indexBits, `${field}.indexBits`, 1, 8),
      entries: whole(fields.entries, `${field}.entries`, 0, MAX_WEIGHTS),
      bias: fields.bias === null ? null : whole(fields.bias, `${field}.bias`, 0, MAX_WEIGHTS),
      codes: stream(fields.codes, `${field}.codes`),
      gaps: stream(fields.gaps, `${field}.gaps`),
    };
  };

  if (header.schema !== SCHEMA) fail("schema", `"${SCHEMA}"`, header.schema);
  return {
    schema: SCHEMA,
    name: text(header.name, "name"),
    topology: header.topology === null ? null : object(header.topology, "topology"),
    metadata: object(header.metadata, "metadata"),
    layers: list(header.layers, "layers").map(layer),
    dense: list(header.dense, "dense").map((value, i) => {
      const fields = object(value, `dense[${i}]`);
      return { name: text(fields.name, `dense[${i}].name`), shape: shape(fields.shape, `dense[${i}].shape`) };
    }),
  };
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !isList(value);
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}
