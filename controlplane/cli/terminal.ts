/** Where commands write; passed in, so that tests can read it. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

/** Returns the process's own standard streams. */
export function createTerminal(): Terminal {
  return { out: (text) => void process.stdout.write(text), err: (text) => void process.stderr.write(text) };
}
