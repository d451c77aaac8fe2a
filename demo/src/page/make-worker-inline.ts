/**
 * The training worker from its text in the page, for the page that is one file: browsers let a page from `file://` start no worker
 * from another file, and no module worker at all.
 */
// eslint-disable-next-line import/default -- Vite makes it
import TrainingWorker from "../worker/main.ts?worker&inline";

export function makeWorker(): Worker {
  return new TrainingWorker();
}
