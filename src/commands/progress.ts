/** One line of progress that rewrites itself, on standard error and only on a terminal. */

export interface Progress {
  /** Replaces the line. */
  show(text: string): void;
  /** Removes it. */
  clear(): void;
}

/** Back to the first column, and erase to the end of the line. */
const ERASE = "\r\u001B[K";
const DEFAULT_COLUMNS = 80;

export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { show: () => undefined, clear: () => undefined };
  return {
    show(text) {
      // A line that wraps could not be erased.
      const columns = stream.columns > 0 ? stream.columns : DEFAULT_COLUMNS;
      stream.write(`${ERASE}${text.slice(0, columns - 1)}`);
    },
    clear() {
      stream.write(ERASE);
    },
  };
}
