/** Numbers and sentences as `vdnn infer` prints them. */

const LINE = 120;

export function percent(share: number): string {
  return `${((Number.isFinite(share) ? share : 0) * 100).toFixed(1)}%`;
}

/** Three digits, without an exponent. */
export function digits(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(size)))));
}

/** Lines of at most 120 characters, those after the first indented. */
export function wrapped(sentence: string): string[] {
  const lines: string[] = [];
  for (const word of sentence.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= LINE) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(lines.length === 0 ? word : `  ${word}`);
  }
  return lines;
}
