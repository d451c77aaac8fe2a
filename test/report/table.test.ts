import { expect, it } from "vitest";
import { renderTable } from "../../src/report/table.ts";

it("aligns numbers right and names left, without trailing spaces", () => {
  const rows = [
    { name: "stock", ms: "1038", note: "" },
    { name: "vdnn-all", ms: "7", note: "moved" },
  ];
  expect(
    renderTable(
      [
        { title: "policy", align: "left", cell: ({ name }) => name },
        { title: "ms", cell: ({ ms }) => ms },
        { title: "", align: "left", cell: ({ note }) => note },
      ],
      rows,
    ),
  ).toEqual(["policy      ms", "stock     1038", "vdnn-all     7  moved"]);
});
