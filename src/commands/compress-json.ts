/** `vdnn-compress/1`: everything that `vdnn compress` knows of a compression. */
import { resolve } from "node:path";
import type { CompressFacts } from "./compress.ts";
import type { TrainedCompression } from "./compress-train.ts";

export function compressJson({ subject, output, fileBytes, huffman, result, training }: CompressFacts): string {
  const { size, denseBytes, kept, leftDense } = result;
  return `${JSON.stringify({
    schema: "vdnn-compress/1",
    source: "measured",
    model: subject.name,
    origin: subject.origin,
    backend: subject.backend,
    training: training === null ? null : trainingJson(training),
    kept: Object.fromEntries(kept),
    size,
    denseBytes,
    leftDense,
    file: { path: resolve(output), bytes: fileBytes, huffman, ratio: denseBytes / fileBytes },
  })}\n`;
}

function trainingJson(training: TrainedCompression): object {
  const { result, images, epochs, options, quantized, sensitivities, report, wallMs } = training;
  const { policy, deviceMemoryBytes, peakDeviceBytes, peakHostBytes } = report;
  return {
    images,
    epochs,
    options,
    accuracy: result.accuracy,
    quantized,
    sensitivities,
    session: { policy, deviceMemoryBytes, peakDeviceBytes, peakHostBytes },
    wallMs,
  };
}
