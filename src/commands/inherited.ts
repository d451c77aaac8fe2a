/**
 * What a process inherits beyond its standard streams, handed on by one that only stands in between: the descriptors that a
 * shell or a parent opened above 2, and the message channel of `fork`. Descriptors need Linux's /proc.
 */
import type { ChildProcess, IOType, SendHandle, Serializable } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const STANDARD = 3;

/** Where the parent's channel is and how it writes messages; Node.js takes both out of `process.env`. */
interface Channel {
  readonly descriptor: number;
  readonly serialization: "json" | "advanced";
}

type StdioEntry = IOType | "ipc" | number;

export interface Inheritance {
  readonly stdio: StdioEntry[];
  readonly serialization: Channel["serialization"];
}

/** The options of `spawn` with which a child has under the same numbers what this process was given. */
export function inheritance(): Inheritance {
  const stdio: StdioEntry[] = ["inherit", "inherit", "inherit"];
  for (const descriptor of givenDescriptors()) stdio[descriptor] = descriptor;
  const channel = parentChannel();
  if (channel !== null) stdio[channel.descriptor] = "ipc";
  // Above 2, "ignore" leaves a descriptor closed.
  return {
    stdio: Array.from(stdio, (entry) => entry ?? "ignore"),
    serialization: channel?.serialization ?? "json",
  };
}

/**
 * Hands messages on between the parent and the child until one of them hangs up. The function returned is to be awaited when
 * the child has exited: what it said last is on its way then.
 */
export function relayMessages(child: ChildProcess): () => Promise<void> {
  if (process.send === undefined || !child.connected) return async () => undefined;
  let sent: Promise<void> = Promise.resolve();
  const toChild = (message: Serializable, handle: SendHandle): void => {
    child.send(message, handle, () => undefined);
  };
  const toParent = (message: unknown, handle: SendHandle): void => {
    sent = new Promise((done) => process.send?.(message, handle, undefined, () => done()));
  };
  const hangUp = (): void => {
    if (child.connected) child.disconnect();
  };
  process.on("message", toChild).once("disconnect", hangUp);
  child.on("message", toParent);
  const over = once(child, "disconnect").then(async () => {
    process.off("message", toChild).off("disconnect", hangUp);
    await sent;
    if (process.connected) process.disconnect();
  });
  return () => over;
}

/**
 * All open descriptors above 2 but those that only Node.js can have opened: event queues, and pipes of which this process holds
 * both ends. Of what is left, /dev/null and the terminal may be Node.js's own as well, and do the child no harm.
 */
function givenDescriptors(): number[] {
  const open = openDescriptors();
  const ends = new Set(open.map(({ target, mode }) => `${target} ${mode}`));
  return open
    .filter(({ descriptor, target }) => {
      if (descriptor < STANDARD || target.startsWith("anon_inode:")) return false;
      const ownPipe = target.startsWith("pipe:") && ends.has(`${target} read`) && ends.has(`${target} write`);
      return !ownPipe;
    })
    .map(({ descriptor }) => descriptor);
}

interface OpenDescriptor {
  readonly descriptor: number;
  readonly target: string;
  readonly mode: "read" | "write" | "both";
}

function openDescriptors(): OpenDescriptor[] {
  let names: string[];
  try {
    names = readdirSync("/proc/self/fd");
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      const flags = /^flags:\s*[0-7]*([0-7])$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "utf8"))?.[1];
      const mode = (["read", "write", "both"] as const)[Number(flags) & 3] ?? "both";
      return [{ descriptor: Number(name), target, mode }];
    } catch {
      // The one that listed the folder is closed by now.
      return [];
    }
  });
}

function parentChannel(): Channel | null {
  if (process.send === undefined) return null;
  let initial = "";
  try {
    initial = readFileSync("/proc/self/environ", "utf8");
  } catch {
    // Elsewhere the child's channel has the first number and the usual form.
  }
  const descriptor = Number(/(?:^|\0)NODE_CHANNEL_FD=(\d+)/.exec(initial)?.[1] ?? STANDARD);
  const advanced = /(?:^|\0)NODE_CHANNEL_SERIALIZATION_MODE=advanced/.test(initial);
  return { descriptor, serialization: advanced ? "advanced" : "json" };
}
