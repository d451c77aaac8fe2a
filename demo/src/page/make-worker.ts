/** The training worker, as a file beside the page. */
export function makeWorker(): Worker {
  return new Worker(new URL("../worker/main.ts", import.meta.url), { type: "module" });
}
