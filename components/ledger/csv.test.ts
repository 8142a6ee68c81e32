import { afterEach, describe, expect, it, vi } from "vitest";
import { entry } from "../../frontend_embed/testing/fake_data.ts";
import { mount, settle, unmountAll } from "../../frontend_embed/testing/harness.ts";
import { press, tag, withEntries } from "../../frontend_embed/testing/ledger_page.ts";
import { defineProvider } from "../provider/provider.ts";
import { cell, csv } from "./csv.ts";
import { defineLedger } from "./ledger.ts";

defineProvider();
defineLedger();

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await unmountAll();
  document.body.replaceChildren();
});

describe("the file", () => {
  it.each([
    ["=1+1", "'=1+1"],
    ["+1 (555)", "'+1 (555)"],
    ["-2+3", "'-2+3"],
    ["@SUM(A1)", "'@SUM(A1)"],
    ["\tx", "'\tx"],
    ["\r=x", `"'\r=x"`],
    ["＝1", "'＝1"],
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ["-3.74", "-3.74"],
    ["500", "500"],
    ["-", "'-"],
    ["a,b", '"a,b"'],
    ["two\nlines", '"two\nlines"'],
    [null, ""],
    [0, "0"],
  ])("holds no formula (X3): %j is written %s", (value, written) => {
    expect(cell(value)).toBe(written);
  });

  it("has a line for each entry, and begins as spreadsheets like it", () => {
    const lines = csv([entry(7, { feature: { name: "=cmd", unit: "token" } }) as never]).split("\r\n");
    expect(lines[0]).toBe(
      "\ufeffsequence,occurredAt,recordedAt,kind,amount,balanceAfter,feature.name,quantity,feature.unit,member.name,explanation,id",
    );
    expect(lines[1]).toMatch(/^7,.*,BURN,-3.74,1530,'=cmd,374,token,Ada,"374 tokens .*, from .*",ent_7$/);
    expect(lines[2]).toBe("");
  });

  it("has everything that the filter lets through, however much is on the screen", async () => {
    const blobs: Blob[] = [];
    vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => {
      blobs.push(blob as Blob);
      return "blob:x";
    });
    const names: string[] = [];
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
      names.push(this.download);
    });
    const mounted = await mount({ tag, fake: withEntries(1_234) });
    await press(mounted, "Export CSV");
    await settle();
    expect(names).toEqual(["ai.csv"]);
    expect((await blobs[0]?.text())?.split("\r\n").length).toBe(1_234 + 2);
    expect(mounted.events.at(-1)).toEqual({ type: "scrip-export", detail: { creditType: "ai", kinds: null } });
  });

  it("is none where the page prevents it and makes its own", async () => {
    const mounted = await mount({ tag, fake: withEntries(3) });
    mounted.shown.element.addEventListener("scrip-export", (event) => event.preventDefault());
    await press(mounted, "Export CSV");
    expect(mounted.fake.requests.length).toBe(1);
  });
});
