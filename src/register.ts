/**
 * `node --import vdnn/register script.js`: runs an existing training script under vdnn, unmodified. Options come from VDNN_*
 * variables (see register/settings.ts); `vdnn run` is this with flags. Only the main thread of this process is virtualized:
 * worker threads and child processes of the script train on stock TensorFlow.js.
 *
 * Nothing is printed on standard output, and nothing here catches a signal or an error, keeps the process alive or changes how
 * it ends.
 */
import { isMainThread } from "node:worker_threads";
import { cannotBlock } from "./backends/index.ts";
import { registerWasmTrainingKernels } from "./backends/wasm-kernels.ts";
import { VdnnError } from "./errors.ts";
import { createLogger } from "./logger.ts";
import { isHtml } from "./report/file.ts";
import { farewell, say } from "./register/farewell.ts";
import { attach, NODE, virtualize } from "./platforms/node.ts";
import { Attachment } from "./register/attachment.ts";
import { findNamespace, refuseOtherCopies } from "./register/namespace.ts";
import { onEngine } from "./register/on-engine.ts";
import { readSettings, type RegisterSettings, RUN_VARIABLE } from "./register/settings.ts";
import type { Engine, TensorFlow } from "./runtime/engine.ts";
import type { VirtualizeOptions } from "./runtime/options.ts";
import { checkVersion } from "./runtime/self-test.ts";
import type { Session } from "./runtime/session.ts";

if (isMainThread) register(settingsOrExit());

function register(settings: RegisterSettings): void {
  hidePreloads(settings.preloaded);
  const sessions: Session[] = [];
  let absent: string | null = null;
  const options = (): VirtualizeOptions => {
    const logger = createLogger(settings.logLevel);
    return {
      ...settings.session,
      trace: settings.files.trace !== undefined,
      history: isHtml(settings.files.report),
      ...(logger === undefined ? {} : { logger }),
    };
  };
  const made = (session: Session): Session => {
    sessions.push(session);
    return session;
  };
  onEngine((engine) => {
    const attachment = new Attachment(engine, {
      awaits: () => cannotBlock(engine, NODE.adapters),
      canTrain: () => findNamespace(engine, undefined).getGradient("Mean") !== undefined,
      attach(variables) {
        const tf = namespaceOf(engine, variables[0]);
        if (engine.backendName === "wasm") registerWasmTrainingKernels(tf);
        return made(attach(tf, options()));
      },
      async attachLater() {
        const tf = namespaceOf(engine, undefined);
        const session = await virtualize(tf, options());
        refuseOtherCopies(engine, tf);
        return made(session);
      },
      notStarted(backend) {
        absent = backend;
      },
    });
    attachment.install();
  });
  process.on("exit", () => {
    try {
      farewell(sessions, settings, absent);
    } catch (error) {
      say(`the summary failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  });
}

/** The script's own TensorFlow.js, of the version that vdnn knows. */
function namespaceOf(engine: Engine, variable: object | undefined): TensorFlow {
  const tf = findNamespace(engine, variable);
  checkVersion(tf);
  return tf;
}

function settingsOrExit(): RegisterSettings {
  try {
    const settings = readSettings(process.env);
    delete process.env[RUN_VARIABLE];
    return settings;
  } catch (error) {
    if (!(error instanceof VdnnError)) throw error;
    say(error.message);
    return process.exit(2);
  }
}

/** `fork` hands `process.execArgv` on; the script sees it as `node script` would have it. */
function hidePreloads(modules: readonly string[]): void {
  const { execArgv } = process;
  for (const module of modules) {
    const at = execArgv.findIndex((argument, i) => argument === "--import" && execArgv[i + 1] === module);
    if (at >= 0) execArgv.splice(at, 2);
  }
}
