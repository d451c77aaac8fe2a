/**
 * How does vdnn compare with PyTorch's own ways of saving activation memory? On each net in turn, `peers/pytorch.py` and
 * `speed.ts`, then one process per vdnn mode for its resident set. Ratios are to each framework's own plain step; the absolute
 * step times stand beside them, and so does where PyTorch is ahead.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { BackendName } from "../src/backends/load.ts";
import { environment, type Outcome, progress, publish, ROOT, runAsProgram, runProgram, takeAlong } from "./harness.ts";
import { backendOption, choices, integer, readOptions } from "./options.ts";
import { type PeerNet, type PeersResult, peersTables, type PyTorchDocument } from "./peers-result.ts";
import { SPEED_MODES, type SpeedResult } from "./speed-result.ts";
import { runTrial, type TrialResult } from "./trial.ts";

const QUESTION = "How does vdnn compare with PyTorch's own ways of saving activation memory?";
const NETS = ["chain", "vgg", "resnet"] as const;
/** As pytorch.py's children do. */
const RSS_STEPS = 3;

const OPTIONS = {
  nets: { default: NETS.join(","), help: `some of ${NETS.join(", ")}, in the sizes of peers/pytorch.py` },
  rounds: { default: "7", help: "rounds, each with every mode" },
  python: { default: "python3", help: "interpreter" },
  pythonpath: { default: process.env["PYTHONPATH"] ?? "", help: "where torch is installed" },
  folder: { default: tmpdir(), help: "directory that both write their files to" },
};

async function runPyTorch(
  net: string,
  options: Readonly<Record<"python" | "pythonpath" | "rounds" | "folder", string>>,
): Promise<PyTorchDocument> {
  const script = path.join(import.meta.dirname, "peers", "pytorch.py");
  const child = spawn(options.python, [script, "--nets", net, "--rounds", options.rounds, "--folder", options.folder], {
    cwd: ROOT,
    env: { ...process.env, PYTHONPATH: options.pythonpath },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const letGo = takeAlong(child);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [number | null];
  letGo();
  if (code !== 0)
    throw new Error(`peers/pytorch.py ended with exit code ${code}; see peers/README.md for what it needs`);
  return JSON.parse(output) as PyTorchDocument;
}

/** In a process of its own, which PyTorch's has its memory back from. */
async function runSpeed(backend: BackendName, net: string, rounds: string, folder: string): Promise<SpeedResult> {
  const directory = mkdtempSync(path.join(tmpdir(), "vdnn-peers-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  // A signal ends the process without coming back here.
  process.once("exit", remove);
  const file = path.join(directory, "speed.json");
  try {
    const args = ["--backend", backend, "--nets", net, "--rounds", rounds, "--modes", SPEED_MODES.join(",")];
    const { failure } = await runProgram("speed.ts", [...args, "--spill", folder, "--json", file]);
    if (failure !== null) throw new Error(`speed.ts: ${failure}`);
    return JSON.parse(readFileSync(file, "utf8")) as SpeedResult;
  } finally {
    remove();
    process.removeListener("exit", remove);
  }
}

await runAsProgram(import.meta.url, async () => {
  const options = readOptions(QUESTION, OPTIONS);
  const backend = backendOption(options.backend);
  integer(options.rounds, "rounds");
  const nets: PeerNet[] = [];
  let result: PeersResult | null = null;
  for (const name of choices(options.nets, "nets", NETS)) {
    progress(`${name}: PyTorch`);
    const { environment: torch, results } = await runPyTorch(name, options);
    progress(`${name}: vdnn`);
    const speed = await runSpeed(backend, name, options.rounds, options.folder);
    const [vdnn] = speed.nets;
    const [pytorch] = results;
    if (vdnn === undefined || pytorch === undefined) throw new Error(`${name}: a result is missing`);
    const rss: Record<string, Outcome<TrialResult>> = {};
    for (const { mode, session } of vdnn.rows) {
      progress(`${name}: resident set, ${mode}`);
      rss[mode] = await runTrial({ backend, workload: vdnn.workload, steps: RSS_STEPS, session });
    }
    nets.push({ name, torch, pytorch, vdnn, rss });
    // After every net: each takes long enough to be worth keeping.
    result = {
      schema: "vdnn-bench-peers/1",
      question: QUESTION,
      environment: environment(speed.environment.runtime),
      rounds: Number(options.rounds),
      nets,
    };
    if (options.json !== "") writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  }
  if (result !== null) publish(options.json, result, peersTables(result));
});
