/** The longest event that is read; etcd takes objects of 1.5 MB. */
const LONGEST_LINE_BYTES = 16 * 1024 * 1024;

/** Returns what takes a stream in pieces and hands over each whole line, or tells that one does not end. */
export function splitLines(onLine: (line: string) => void, onEndless: () => void): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let partBytes = 0;
  return (chunk) => {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...parts, chunk.subarray(from, end)]).toString("utf8");
      parts = [];
      partBytes = 0;
      from = end + 1;
      if (line.trim() !== "") onLine(line);
    }
    if (from === chunk.length) return;
    // A copy: a part of a larger buffer would keep all of it.
    parts.push(Buffer.from(chunk.subarray(from)));
    partBytes += chunk.length - from;
    if (partBytes > LONGEST_LINE_BYTES) onEndless();
  };
}
