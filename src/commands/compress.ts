/**
 * `vdnn compress`: Deep Compression of a model: pruned and retrained in rounds, its weights shared, tuned and encoded, under vdnn's
 * memory budget. The file is written at the end and as a whole; an interrupt writes nothing.
 */
import { loadTensorFlow } from "../backends/load.ts";
import { writeCompressedModel } from "../compression/file/file.ts";
import { compressUntrained, type UntrainedResult } from "../compression/training/untrained.ts";
import type { CompressionResult } from "../compression/training/compress.ts";
import { createLogger } from "../logger.ts";
import { writeReport } from "../report/file.ts";
import { compressJson } from "./compress-json.ts";
import type { CompressFlags } from "./compress-options.ts";
import { compressPage } from "./compress-page.ts";
import { checkCompressFlags, compressionOptions } from "./compress-settings.ts";
import { loadSubject, originOf } from "./compress-subject.ts";
import { renderCompression } from "./compress-table.ts";
import { type Callbacks, type Subject, trainAndCompress, type TrainedCompression } from "./compress-train.ts";
import { isCompressed, usage } from "./infer-source.ts";
import { outputFile, reportFile, sessionSettings } from "./options.ts";
import { createProgress } from "./progress.ts";

/** All that is printed. */
export interface CompressFacts {
  readonly subject: Omit<Subject, "tf">;
  /** As given. */
  readonly output: string;
  readonly fileBytes: number;
  readonly huffman: boolean;
  readonly showSensitivities: boolean;
  readonly result: CompressionResult | UntrainedResult;
  /** Null with --no-retrain. */
  readonly training: TrainedCompression | null;
}

/** 128 + SIGINT. */
const INTERRUPTED = 130;

/** Compresses, writes the file, prints, and returns the exit code. */
export async function compress(name: string, flags: CompressFlags): Promise<number> {
  checkCompressFlags(flags);
  const origin = originOf(name, flags);
  const output = outputFile(flags.output, "--output", true);
  if (!isCompressed(output))
    throw usage("output", `${flags.output} does not end in .vdnnz, by which the file is known`);
  const report = reportFile(flags);
  const controller = new AbortController();
  const onInterrupt = (): void => controller.abort();
  // A second one ends the process at once, as there is no listener any more.
  process.once("SIGINT", onInterrupt);
  const progress = createProgress();
  try {
    const settings = sessionSettings(flags);
    const { tf, backend } = await loadTensorFlow(flags.backend);
    const callbacks = { signal: controller.signal, show: (text: string) => progress.show(text) };
    const logger = createLogger(flags.logLevel);
    const subject = { tf, backend, name, origin };
    const session = { ...settings, ...(logger === undefined ? {} : { logger }) };
    const training = flags.retrain ? await trainAndCompress(subject, flags, session, callbacks) : null;
    const result = training?.result ?? (await untrained(subject, flags, callbacks));
    controller.signal.throwIfAborted();
    const huffman = flags.huffman === true;
    const fileBytes = await writeCompressedModel(output, result.model, { huffman });
    progress.clear();
    const showSensitivities = flags.sensitivity === true;
    const facts = {
      subject: { backend, name, origin },
      output: flags.output,
      fileBytes,
      huffman,
      showSensitivities,
      result,
      training,
    };
    if (report !== undefined) {
      writeReport(report, { json: () => compressJson(facts), page: () => compressPage(facts) });
    }
    process.stdout.write(flags.json === true ? compressJson(facts) : renderCompression(facts));
    return 0;
  } catch (error) {
    progress.clear();
    if (!controller.signal.aborted) throw error;
    process.stderr.write(`vdnn: interrupted; ${flags.output} was not written\n`);
    return INTERRUPTED;
  } finally {
    process.removeListener("SIGINT", onInterrupt);
  }
}

async function untrained(
  { tf, name, origin }: Subject,
  flags: CompressFlags,
  { signal, show }: Callbacks,
): Promise<UntrainedResult> {
  show(`compressing ${name}`);
  const model = await loadSubject(tf, name, origin, flags);
  try {
    return await compressUntrained(tf, model, { ...compressionOptions(flags), signal });
  } finally {
    model.dispose();
  }
}
