/**
 * The thread behind `WorkerStream`: the layout of its ring and the program it runs. The program is plain JavaScript in a
 * string, so that it starts alike from TypeScript source, from `dist` and from a bundle, with no loader in the worker.
 *
 *   main                                   worker
 *   post new buffers to the port
 *   fill the entry, SUBMITTED += 1  ──▶    wait on SUBMITTED
 *                                          take buffers from the port, copy, fill errno and times
 *   wait on COMPLETED               ◀──    COMPLETED += 1
 *
 * The stores to SUBMITTED and COMPLETED are the only synchronization: each publishes what was written before it.
 */

import type { MessagePort } from "node:worker_threads";

/** Int32 fields of the control block. Counters wrap at 2^32; only differences of them mean something. */
export const CONTROL = { submitted: 0, completed: 1, state: 2, progress: 3, length: 4 } as const;

/** Values of the state field. `ended` is written even when the program dies of an exception. */
export const STATE = { starting: 0, idle: 1, busy: 2, ended: 3 } as const;

/** Int32 fields of an entry. `buffer` is the number under which the segment's buffer was posted. */
export const WORDS = { kind: 0, fd: 1, buffer: 2, errno: 3, length: 4 } as const;

/** Float64 fields of an entry. Times are ms of `process.hrtime`, the one clock that both threads share. */
export const NUMBERS = { fileOffset: 0, offset: 1, bytes: 2, startMs: 3, endMs: 4, length: 5 } as const;

export const KIND = { write: 0, read: 1, stop: 2 } as const;

/** Beside errno values, which are negative: the file ended early; an error that carries no errno. */
export const END_OF_FILE = 1;
export const NO_ERRNO = 2;

/** One system call moves at most this: far below the 2 GiB limit of Node, and a sign of life in between. */
export const CHUNK_BYTES: number = 8 * 1024 * 1024;

/** What the thread gets. */
export interface ThreadData {
  readonly control: Int32Array;
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  readonly capacity: number;
  readonly port: MessagePort;
}

export const THREAD_SOURCE: string = `"use strict";
const { readSync, writeSync } = require("node:fs");
const { receiveMessageOnPort, workerData } = require("node:worker_threads");
const { control, words, numbers, capacity, port } = workerData;
const buffers = new Map();
const clockMs = () => Number(process.hrtime.bigint()) / 1e6;

function bufferOf(id) {
  while (!buffers.has(id)) {
    const { id: next, buffer } = receiveMessageOnPort(port).message;
    buffers.set(next, buffer);
  }
  return buffers.get(id);
}

function copy(move, fd, view, fileOffset) {
  for (let done = 0; done < view.length; ) {
    const moved = move(fd, view, done, Math.min(${CHUNK_BYTES}, view.length - done), fileOffset + done);
    if (moved === 0) return ${END_OF_FILE};
    done += moved;
    Atomics.add(control, ${CONTROL.progress}, 1);
  }
  return 0;
}

function run(word, number) {
  const kind = words[word + ${WORDS.kind}];
  if (kind !== ${KIND.write} && kind !== ${KIND.read}) throw new Error("unknown kind of command: " + kind);
  const buffer = bufferOf(words[word + ${WORDS.buffer}]);
  const view = new Uint8Array(buffer, numbers[number + ${NUMBERS.offset}], numbers[number + ${NUMBERS.bytes}]);
  const move = kind === ${KIND.write} ? writeSync : readSync;
  numbers[number + ${NUMBERS.startMs}] = clockMs();
  try {
    words[word + ${WORDS.errno}] = copy(move, words[word + ${WORDS.fd}], view, numbers[number + ${NUMBERS.fileOffset}]);
  } catch (error) {
    words[word + ${WORDS.errno}] = typeof error.errno === "number" ? error.errno : ${NO_ERRNO};
  }
  numbers[number + ${NUMBERS.endMs}] = clockMs();
}

try {
  for (let next = 0; ; ) {
    Atomics.store(control, ${CONTROL.state}, ${STATE.idle});
    while (Atomics.load(control, ${CONTROL.submitted}) === next) Atomics.wait(control, ${CONTROL.submitted}, next);
    Atomics.store(control, ${CONTROL.state}, ${STATE.busy});
    const entry = (next >>> 0) % capacity;
    if (words[entry * ${WORDS.length} + ${WORDS.kind}] === ${KIND.stop}) break;
    run(entry * ${WORDS.length}, entry * ${NUMBERS.length});
    next = (next + 1) | 0;
    Atomics.store(control, ${CONTROL.completed}, next);
    Atomics.notify(control, ${CONTROL.completed});
  }
} finally {
  Atomics.store(control, ${CONTROL.state}, ${STATE.ended});
  Atomics.notify(control, ${CONTROL.completed});
}
`;
