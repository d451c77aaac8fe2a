/** What a browser loads: nothing of Node.js, nothing of the exact planning that only the command line does, and a known size. */
import { gzipSync } from "node:zlib";
import { build, type InlineConfig, type Rolldown } from "vite";
import { describe, expect, it } from "vitest";

type Chunk = Rolldown.OutputChunk;

/** Gzipped, TensorFlow.js not included: the entry, and everything, of which no page loads all. */
const ENTRY_LIMIT_BYTES = 60_000;
const WHOLE_LIMIT_BYTES = 77_000;

async function chunksOf(config: InlineConfig): Promise<readonly Chunk[]> {
  const result = await build({ logLevel: "silent", ...config, build: { ...config.build, write: false } });
  const outputs = (Array.isArray(result) ? result : [result]) as Rolldown.RolldownOutput[];
  return outputs.flatMap(({ output }) => output.filter((part): part is Chunk => part.type === "chunk"));
}

/** An entry as a page's build makes it, TensorFlow.js left to the page. */
function bundle(input: string): Promise<readonly Chunk[]> {
  const rolldownOptions = { input, preserveEntrySignatures: "strict", external: /^@tensorflow\// } as const;
  return chunksOf({ configFile: false, build: { minify: true, target: "es2023", rolldownOptions } });
}

function modulesOf(chunks: readonly Chunk[]): string[] {
  return chunks.flatMap(({ modules }) => Object.keys(modules));
}

/** Names that only Node.js has in its global scope, where they are not a property or part of a text. */
const NODE_GLOBAL = /(?<![\w$."'`-])(?:process|Buffer|require|__dirname|__filename|setImmediate)(?=\s*[.([])/g;

describe.each([["src/browser.ts"], ["src/plan/index.ts"], ["src/networks/index.ts"], ["src/report/index.ts"]])(
  "%s in a browser",
  (entry) => {
    it("reaches no module and no global of Node.js", async () => {
      const chunks = await bundle(entry);
      // What vite puts in the place of a module that browsers lack.
      expect(modulesOf(chunks).filter((module) => module.includes("browser-external"))).toEqual([]);
      for (const { code, imports, dynamicImports } of chunks) {
        expect([...imports, ...dynamicImports].filter((name) => name.startsWith("node:"))).toEqual([]);
        expect(code.match(NODE_GLOBAL) ?? []).toEqual([]);
      }
    });
  },
);

it("the test notices what belongs to Node.js", async () => {
  const chunks = await bundle("src/index.ts");
  expect(modulesOf(chunks).some((module) => module.includes("browser-external"))).toBe(true);
  expect(chunks.some(({ code }) => NODE_GLOBAL.test(code))).toBe(true);
});

describe("what a page without a bundler loads", () => {
  it("plans without a solver", async () => {
    const chunks = await chunksOf({ configFile: "vite.config.ts" });
    expect(modulesOf(chunks).filter((module) => /plan\/(?:arena|certify)|highs/.test(module))).toEqual([]);
  });

  it("is vdnn.min.js, which holds all that a page on webgpu needs, and what another backend or a spill tier adds", async () => {
    const chunks = await chunksOf({ configFile: "vite.config.ts" });
    const sizes = new Map(chunks.map(({ fileName, code }) => [fileName, gzipSync(code, { level: 9 }).length]));
    const [entry] = chunks;
    expect(entry).toMatchObject({ fileName: "vdnn.min.js", imports: [] });
    expect(modulesOf([entry!]).some((module) => module.endsWith("backends/webgpu.ts"))).toBe(true);
    console.info([...sizes].map(([file, bytes]) => `${file}: ${bytes} bytes gzipped`).join("\n"));
    expect(sizes.get("vdnn.min.js")).toBeLessThanOrEqual(ENTRY_LIMIT_BYTES);
    const whole = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
    expect(whole).toBeLessThanOrEqual(WHOLE_LIMIT_BYTES);
  });
});
