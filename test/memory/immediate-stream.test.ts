import { describe, expect, it } from "vitest";
import { ImmediateStream } from "../../src/memory/immediate-stream.ts";

describe("ImmediateStream", () => {
  it("has done a command when submit returns, and keeps its error for whoever asks", async () => {
    const log: string[] = [];
    const stream = new ImmediateStream<string>("copies", (command) => {
      if (command === "bad") throw new Error("broken");
      log.push(command);
    });
    const bad = stream.submit("bad");
    const good = stream.submit("good");
    expect([bad.isReached, good.isReached, log]).toEqual([true, true, ["good"]]);
    good.wait();
    await good.done();
    expect(() => bad.wait()).toThrow("broken");
    await expect(bad.done()).rejects.toThrow("broken");
    await stream.close();
    expect(() => stream.submit("late")).toThrow(expect.objectContaining({ code: "ERR_STREAM" }));
  });
});
