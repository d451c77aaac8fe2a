/**
 * `--return-memory`: an allocator that gives back what is freed. glibc raises the size from which a buffer gets pages of its own
 * to the largest that was freed, up to 32 MiB; smaller ones come out of heaps, whose pages the process keeps. A threshold that is
 * set stays, so that a tensor's pages leave when it does, and fault in anew with the next.
 */

/** For the environment of a process: glibc reads it when it starts. The size of a tensor that is worth a system call, in bytes. */
export const RETURN_MEMORY = { MALLOC_MMAP_THRESHOLD_: "1048576" } as const;

/** Why it would do nothing in this process's children; undefined where it works. */
export function whyNoReturn(): string | undefined {
  if (process.platform !== "linux") return `${process.platform} has another allocator than glibc's`;
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? "this Node.js does not run on glibc" : undefined;
}
