/** What a browser loads: nothing of Node.js, and no more than it has to. */
import { build, type Rolldown } from "vite";
import { describe, expect, it } from "vitest";

type Chunk = Rolldown.OutputChunk;

/** The entry as a page's build makes it: minified, TensorFlow.js left to the page. */
async function bundle(entry: string): Promise<readonly Chunk[]> {
  const result = await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: true,
      target: "es2023",
      modulePreload: false,
      rolldownOptions: { input: entry, preserveEntrySignatures: "strict", external: /^@tensorflow\// },
    },
  });
  const outputs = (Array.isArray(result) ? result : [result]) as Rolldown.RolldownOutput[];
  return outputs.flatMap(({ output }) => output.filter((part): part is Chunk => part.type === "chunk"));
}

function modulesOf(chunks: readonly Chunk[]): string[] {
  return chunks.flatMap(({ modules }) => Object.keys(modules));
}

/** Names that only Node.js has in its global scope, where they are not a property or part of a text. */
const NODE_GLOBAL = /(?<![\w$."'`-])(?:process|Buffer|require|__dirname|__filename|setImmediate)(?=\s*[.([])/g;

describe.each([["src/browser.ts"], ["src/networks/index.ts"], ["src/report/index.ts"]])("%s in a browser", (entry) => {
  it("reaches no module and no global of Node.js", async () => {
    const chunks = await bundle(entry);
    // What vite puts in the place of a module that browsers lack.
    expect(modulesOf(chunks).filter((module) => module.includes("browser-external"))).toEqual([]);
    for (const { code, imports, dynamicImports } of chunks) {
      expect([...imports, ...dynamicImports].filter((name) => name.startsWith("node:"))).toEqual([]);
      expect(code.match(NODE_GLOBAL) ?? []).toEqual([]);
    }
  });
});

it("the test notices what belongs to Node.js", async () => {
  const chunks = await bundle("src/index.ts");
  expect(modulesOf(chunks).some((module) => module.includes("browser-external"))).toBe(true);
  expect(chunks.some(({ code }) => NODE_GLOBAL.test(code))).toBe(true);
});
