import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { askCredentialHelper } from "./credential-helper.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "scrim-helper-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function ask(script: string): ReturnType<typeof askCredentialHelper> {
  const program = join(directory, "docker-credential-here");
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  return askCredentialHelper({ helper: "here", server: "registry.test" }, { PATH: `${directory}:/usr/bin:/bin` });
}

it("is not waited for longer than it runs, whatever it leaves running with its output open", async () => {
  const pidFile = join(directory, "agent.pid");
  try {
    expect(
      await ask(`sleep 600 & echo $! > ${pidFile}; cat > /dev/null; printf '{"Username":"me","Secret":"word"}'`),
    ).toEqual({ kind: "credential", credential: { kind: "password", username: "me", password: "word" } });
  } finally {
    process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
  }
});

it("is told the server on its standard input", async () => {
  expect(await ask(`read server; printf '{"Username":"<token>","Secret":"for %s"}' "$server"`)).toEqual({
    kind: "credential",
    credential: { kind: "identity-token", token: "for registry.test" },
  });
});
