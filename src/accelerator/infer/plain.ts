/** Convolutions that a shape describes in full: a layer's shape has one stride and no dilation. */
import { VdnnError } from "../../errors.ts";
import type { LayerShape } from "../layer.ts";

/** @throws VdnnError `ERR_UNSUPPORTED_LAYER` */
export function requirePlain(shape: LayerShape): void {
  const { name, inputHeight, inputWidth, filterHeight, filterWidth, outputHeight, outputWidth, stride } = shape;
  const covered = (input: number, filter: number): number => Math.floor((input - filter) / stride) + 1;
  if (covered(inputHeight, filterHeight) === outputHeight && covered(inputWidth, filterWidth) === outputWidth) return;
  throw new VdnnError(
    "ERR_UNSUPPORTED_LAYER",
    `${name}: no mapping for dilated filters, or strides that differ by direction`,
    { layer: name },
  );
}
