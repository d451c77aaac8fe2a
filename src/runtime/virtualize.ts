/**
 * The way to a session: checks, the proofs at attach time, then the session itself. Written for any platform; the entries of the
 * package bind theirs.
 */
import type { DeviceAdapter } from "../backends/adapter.ts";
import { adapterFor } from "../backends/index.ts";
import { VdnnError } from "../errors.ts";
import type { Vault } from "../memory/vault.ts";
import { vdnnAll } from "../plan/policies/vdnn-all.ts";
import type { Policy } from "../plan/policy.ts";
import { type Engine, engineOf, type TensorFlow } from "./engine.ts";
import { Meter } from "./meter.ts";
import { DEFAULT_POLICY, parseOptions, type SessionOptions, type VirtualizeOptions } from "./options.ts";
import type { BlockingPlatform, Platform, VaultRequest } from "./platform.ts";
import { checkVersion, proveRelu, proveReluLater, type ReluProof, trainToy, trainToyLater } from "./self-test.ts";
import { formatBytes } from "../units.ts";
import { Session } from "./session.ts";

/** What a session is made from; the toy session of the self-test is made from another one's. */
interface Setup<P extends Platform = Platform> {
  readonly platform: P;
  readonly tf: TensorFlow;
  readonly engine: Engine;
  readonly options: SessionOptions;
  readonly relu: ReluProof;
  /** The backend cannot block. */
  readonly awaits: boolean;
}

const proven = new WeakSet<object>();

/** `virtualize` on any platform. */
export async function virtualizeOn(
  platform: Platform,
  tf: TensorFlow,
  options: VirtualizeOptions = {},
): Promise<Session> {
  checkVersion(tf);
  await tf.ready();
  const engine = engineOf(tf);
  const { asynchronous } = await adapterFor(engine, platform.adapters);
  const awaits = asynchronous !== undefined;
  const parsed = parse(platform, engine, options, await platform.policyNamed(nameOf(options), !awaits));
  const setup = { platform, tf, engine, options: parsed, relu: await proveReluLater(engine), awaits };
  if (parsed.selfTest && !proven.has(engine.backend)) {
    await selfTest(tf, () => start(toyOf(setup)));
    proven.add(engine.backend);
  }
  return start(setup);
}

/** `attach` on a platform where nothing has to be awaited. */
export function attachOn(platform: BlockingPlatform, tf: TensorFlow, options: VirtualizeOptions = {}): Session {
  checkVersion(tf);
  const engine = engineOf(tf);
  const parsed = parse(platform, engine, options, platform.policyNamed(nameOf(options), true));
  if (adapterFor(engine, platform.adapters).asynchronous !== undefined) {
    throw new VdnnError(
      "ERR_BACKEND",
      `${engine.backendName} can only be awaited; use \`await virtualize(tf, options)\` instead of attach`,
      { backend: engine.backendName },
    );
  }
  const setup = { platform, tf, engine, options: parsed, relu: proveRelu(engine), awaits: false };
  if (parsed.selfTest && !proven.has(engine.backend)) {
    const expected = trainToy(tf);
    compareToys(tf, expected, trainUnder(tf, startNow(toyOf(setup))));
    proven.add(engine.backend);
  }
  return startNow(setup);
}

/**
 * The session that virtualizes this TensorFlow.js, whoever made it; null where there is none. A script under `vdnn run` gets its
 * session here: on webgpu once `tf.setBackend` or `tf.ready` was awaited, elsewhere from its first training step on.
 *
 * @param tf the namespace object that the script trains with
 */
export function activeSession(tf: TensorFlow): Session | null {
  return Session.on(engineOf(tf));
}

function nameOf({ policy = DEFAULT_POLICY }: VirtualizeOptions): string {
  return policy;
}

function parse(platform: Platform, engine: Engine, options: VirtualizeOptions, policy: Policy): SessionOptions {
  const parsed = parseOptions(options, platform, policy);
  Session.refuseSecond(engine);
  return parsed;
}

async function start(setup: Setup): Promise<Session> {
  const { options, platform } = setup;
  const meter = new Meter(options.now, isTraced(options) ? await platform.makeTracer(options) : null);
  const adapter = await adapterFor(setup.engine, platform.adapters);
  const vault = await platform.makeVault(requestOf(setup, meter));
  try {
    return sessionOf(setup, meter, adapter, vault);
  } catch (error) {
    await vault.close();
    throw error;
  }
}

function startNow(setup: Setup<BlockingPlatform>): Session {
  const { options, platform } = setup;
  const meter = new Meter(options.now, isTraced(options) ? platform.makeTracer(options) : null);
  const adapter = adapterFor(setup.engine, platform.adapters);
  const vault = platform.makeVault(requestOf(setup, meter));
  try {
    return sessionOf(setup, meter, adapter, vault);
  } catch (error) {
    // Nobody can wait for its threads here; they end with it.
    void vault.close().catch(() => undefined);
    throw error;
  }
}

function isTraced({ trace, history }: SessionOptions): boolean {
  return trace || history;
}

function requestOf({ options, awaits }: Setup, meter: Meter): VaultRequest {
  return {
    hostBytes: options.hostBytes,
    spillDirectory: options.spillDirectory,
    spillBytes: options.spillBytes,
    now: options.now,
    awaits,
    onSpan: ({ kind, bytes, startMs, endMs }) =>
      meter.spilled(kind === "write" ? "spill-write" : "spill-read", bytes, startMs, endMs - startMs),
  };
}

function sessionOf({ tf, options, relu }: Setup, meter: Meter, adapter: DeviceAdapter, vault: Vault): Session {
  const reservedBytes = adapter.allocator?.reservedBytes ?? 0;
  if (options.deviceBytes < reservedBytes) {
    throw new VdnnError(
      "ERR_INVALID_OPTION",
      `deviceMemory: ${adapter.name} keeps ${formatBytes(reservedBytes)} for uniforms, got ${formatBytes(options.deviceBytes)} in all; raise it`,
      { option: "deviceMemory", got: options.deviceBytes },
    );
  }
  return new Session({ tf, adapter, options, relu, meter, vault });
}

function toyOf<P extends Platform>(setup: Setup<P>): Setup<P> {
  const { options, platform } = setup;
  const toy = parseOptions({ adversarial: true }, platform, vdnnAll);
  return { ...setup, options: { ...toy, now: options.now } };
}

function trainUnder(tf: TensorFlow, toy: Session): string {
  try {
    return trainToy(tf);
  } finally {
    toy.detach();
  }
}

async function selfTest(tf: TensorFlow, startToy: () => Promise<Session>): Promise<void> {
  const expected = await trainToyLater(tf, (optimizer, loss, weights) => optimizer.minimize(loss, false, weights));
  const toy = await startToy();
  let found: string;
  try {
    found = await trainToyLater(tf, (optimizer, loss, weights) => toy.minimize(optimizer, loss, false, weights));
  } finally {
    await toy.dispose();
  }
  compareToys(tf, expected, found);
}

function compareToys(tf: TensorFlow, expected: string, found: string): void {
  if (found === expected) return;
  throw new VdnnError(
    "ERR_PARITY",
    "a toy model did not train to the weights of stock TensorFlow.js, so nothing was changed; another library may have patched it: " +
      "please report the backend and package versions",
    { backend: engineOf(tf).backendName },
  );
}
