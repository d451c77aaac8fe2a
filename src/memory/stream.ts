/**
 * Streams and events. A stream is an in-order queue of asynchronous copies; an event is a point on it that others can wait
 * for. Implementations: `WorkerStream` (a worker thread behind a shared-memory ring; the training thread may block on its events
 * without ever yielding), `QueueStream` (p-queue with concurrency 1; for drivers that await) and `ImmediateStream` (no queue).
 */

/** A point on a stream: reached when everything submitted up to it is done. */
export interface StreamEvent {
  /** True once reached. Never blocks. A failed copy counts as reached; `wait` and `done` report its error. */
  readonly isReached: boolean;
  /**
   * Blocks the calling thread until reached.
   * @throws VdnnError `ERR_STREAM` on a stream that only promises can drive; the copy's own error if it failed
   */
  wait(): void;
  /** Resolves when reached; rejects with the copy's own error. */
  done(): Promise<void>;
}

/** An in-order queue of commands of type `C`. */
export interface Stream<C> {
  readonly name: string;
  /** `wait` blocks until a command of this stream is done. False on a stream that only promises can drive. */
  readonly canBlock: boolean;
  /** Issues a command; returns the event that marks its end. Blocks only when the queue is full. */
  submit(command: C): StreamEvent;
  /** Waits for what was submitted, then releases threads and handles. Idempotent. */
  close(): Promise<void>;
}
