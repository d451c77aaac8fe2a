/**
 * What a visitor chooses, as data: defaults for the device at hand, reading from and writing to the address's hash, checking. Pure, so
 * that the page's form is one view of it and the hash another.
 */
import { parseBytes } from "../../src/units.ts";
import { depthsOf, NETWORKS, type NetworkName } from "./catalogue.ts";

export type BackendChoice = "auto" | "webgpu" | "webgl" | "wasm";
export const BACKEND_CHOICES: readonly BackendChoice[] = ["auto", "webgpu", "webgl", "wasm"];

export type PolicyName = "auto" | "vdnn-dyn" | "vdnn-all" | "vdnn-conv" | "checkpoint" | "liveness";
export const POLICY_NAMES: readonly PolicyName[] = [
  "auto",
  "vdnn-dyn",
  "vdnn-all",
  "vdnn-conv",
  "checkpoint",
  "liveness",
];

/** A failure to make on purpose, to see what becomes of it. */
export type Fault = "none" | "device-lost";
export const FAULTS: readonly Fault[] = ["none", "device-lost"];

export interface Settings {
  readonly backend: BackendChoice;
  readonly network: NetworkName;
  /** Layers along the main path; 0 for a network that has no such choice. */
  readonly depth: number;
  readonly batch: number;
  /** Image side in pixels, or tokens per sample. */
  readonly side: number;
  /** Channels, or a factor on all channels: as the network has it. */
  readonly width: number;
  /** A size such as `96MiB`, or a share of what stock was measured to need, such as `25%`. */
  readonly budget: string;
  readonly policy: PolicyName;
  readonly steps: number;
  readonly seed: number;
  readonly fault: Fault;
}

export type Field = keyof Settings;

/** How much the device can do in a second, for defaults: a GPU, a processor by WebAssembly, or one that plays a GPU. */
export type Speed = "gpu" | "processor" | "emulated";

export const MOST_STEPS = 500;
const MOST_BATCH = 1024;
const MOST_SIDE = 512;
/** On an emulated GPU shapes are so small that one kernel's tensors are a large share of them. */
const BUDGETS: Readonly<Record<Speed, string>> = { gpu: "25%", processor: "25%", emulated: "40%" };
const STEPS: Readonly<Record<Speed, number>> = { gpu: 24, processor: 40, emulated: 6 };

/** The chain is the simplest for backends that cannot block; a ResNet's loss falls within a few steps. */
const FIRST_NETWORKS: Readonly<Record<Speed, NetworkName>> = { gpu: "chain", processor: "resnet", emulated: "chain" };

export function defaultSettings(speed: Speed, network: NetworkName = FIRST_NETWORKS[speed]): Settings {
  return {
    backend: "auto",
    network,
    ...NETWORKS[network].shapes[speed],
    budget: BUDGETS[speed],
    // Its copies fill the lanes; others may find nothing to move.
    policy: "vdnn-all",
    steps: STEPS[speed],
    seed: 1,
    fault: "none",
  };
}

/** `#network=chain&depth=32&…`, every field, so that a shared address means the same elsewhere. */
export function toHash(settings: Settings): string {
  const pairs = Object.entries(settings).filter(([field, value]) => field !== "fault" || value !== "none");
  return `#${new URLSearchParams(pairs.map(([field, value]) => [field, String(value)])).toString()}`;
}

/** Fields that are missing or make no sense have the device's defaults. */
export function fromHash(hash: string, speed: Speed): Settings {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const network = oneOf(given.get("network"), Object.keys(NETWORKS) as NetworkName[], FIRST_NETWORKS[speed]);
  const defaults = defaultSettings(speed, network);
  const { least, depths } = depthsOf(network);
  const whole = (field: Field, from: number, to: number): number => {
    const number = Number(given.get(field) ?? Number.NaN);
    return Number.isSafeInteger(number) && number >= from && number <= to ? number : (defaults[field] as number);
  };
  const width = Number(given.get("width") ?? Number.NaN);
  const depth = whole("depth", least, Number.MAX_SAFE_INTEGER);
  return {
    backend: oneOf(given.get("backend"), BACKEND_CHOICES, defaults.backend),
    network,
    depth: NETWORKS[network].anyDepth || depths.includes(depth) ? depth : defaults.depth,
    batch: whole("batch", 1, MOST_BATCH),
    side: whole("side", 1, MOST_SIDE),
    width: width > 0 && Number.isFinite(width) ? width : defaults.width,
    budget: given.get("budget")?.trim() ?? defaults.budget,
    policy: oneOf(given.get("policy"), POLICY_NAMES, defaults.policy),
    steps: whole("steps", 2, MOST_STEPS),
    seed: whole("seed", 0, 2 ** 31),
    fault: oneOf(given.get("fault"), FAULTS, defaults.fault),
  };
}

function oneOf<T extends string>(given: string | null, all: readonly T[], otherwise: T): T {
  return all.find((each) => each === given) ?? otherwise;
}

export type Budget =
  | { readonly kind: "share"; readonly share: number }
  | { readonly kind: "bytes"; readonly bytes: number };

/** @throws VdnnError `ERR_INVALID_OPTION` when it is neither a size nor a share between 1 and 100 % */
export function parseBudget(text: string): Budget {
  const percent = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(text)?.[1];
  if (percent !== undefined && Number(percent) >= 1 && Number(percent) <= 100) {
    return { kind: "share", share: Number(percent) / 100 };
  }
  return { kind: "bytes", bytes: parseBytes(text, "budget") };
}

/** What of the settings decides the numbers that training computes: equal keys mean that two runs can be compared. */
export function trainingKey({ network, depth, batch, side, width, seed }: Settings): string {
  return JSON.stringify({ network, depth, batch, side, width, seed });
}
