/** A browser that no driver steers, with the site under test open: see `desk.ts`. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { resultOf } from "./answer.ts";
import type { Browser } from "./browser.ts";
import { Desk } from "./desk.ts";
import { startChild } from "./child.ts";
import { openDisplay } from "./display.ts";
import { commandFor, type Engine } from "./engines.ts";
import { openSite } from "./site.ts";

export type RemoteBrowser = Pick<Browser, "run" | "close">;

export async function openRemote(engine: Engine): Promise<RemoteBrowser> {
  const desk = new Desk();
  const site = await openSite((request, response) => desk.handle(request, response));
  const profile = await mkdtemp(path.join(tmpdir(), "vdnn-profile-"));
  for (const [name, content] of Object.entries(engine.profileFiles)) await writeFile(path.join(profile, name), content);
  const display = await openDisplay();
  const [file, ...switches] = commandFor(engine, `${site.url}#ask`, profile, display !== undefined);
  const env = { ...process.env, ...engine.environmentFor(profile), DISPLAY: display?.name };
  const program = startChild(file, switches, { stdio: "ignore", env });
  void program.exited.then(() => desk.fail(new Error(`${engine.name} ended before it answered`)));
  return {
    async run(realm, name, ...args) {
      return resultOf(await desk.ask({ realm, name, args })) as never;
    },
    async close() {
      await program.end();
      await display?.close();
      await site.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
