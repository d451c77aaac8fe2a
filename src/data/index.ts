/** `vdnn/data`: images to train on, drawn from a seed or read from IDX files. */
export { type DigitOptions, drawnDigits } from "./digits.ts";
export { type IdxArray, type IdxOptions, labeledImages, parseIdx, readIdx, readMnist } from "./idx.ts";
export { batches, batchOf, checkImages, type DataSplit, type LabeledImages, shuffledOrder, slice } from "./images.ts";
