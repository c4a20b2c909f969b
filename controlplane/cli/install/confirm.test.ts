import { expect, it, vi } from "vitest";
import { confirm } from "./confirm.ts";

const terminal = { out: vi.fn(), err: vi.fn() };

it("says without a terminal that nothing was changed, and what goes on", async () => {
  vi.spyOn(process, "stdin", "get").mockReturnValue({ isTTY: false } as never);
  const what = "This will install Scrim in namespace istio-system.";
  await expect(confirm(what, {}, terminal)).rejects.toThrow(
    `${what} Nothing was changed, since nobody is here to be asked: -y goes on.`,
  );
  await expect(confirm(what, { yes: true }, terminal)).resolves.toBeUndefined();
});
