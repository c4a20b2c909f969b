// Callouts belong to the root context, and the host answers there: this table leads from a callout's token back to the
// stream that made it. Few are in flight at a time; slots are reused, so the table is as large as the largest number in
// flight.

let tokens: StaticArray<u32> = new StaticArray<u32>(16);
let streams: StaticArray<u32> = new StaticArray<u32>(16);

/** Notes that `stream` made callout `token`. For the SDK's own use. */
export function rememberCaller(token: u32, stream: u32): void {
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] != 0) continue;
    tokens[i] = token;
    streams[i] = stream;
    return;
  }
  const size = tokens.length;
  const moreTokens = new StaticArray<u32>(size * 2);
  const moreStreams = new StaticArray<u32>(size * 2);
  for (let i = 0; i < size; i++) {
    moreTokens[i] = tokens[i];
    moreStreams[i] = streams[i];
  }
  tokens = moreTokens;
  streams = moreStreams;
  tokens[size] = token;
  streams[size] = stream;
}

/** The stream that made callout `token`, 0 if it was a root. For the SDK's own use. */
export function callerOf(token: u32): u32 {
  for (let i = 0; i < tokens.length; i++) if (tokens[i] == token) return streams[i];
  return 0;
}

/** As `callerOf`, and forgets the callout. For the SDK's own use. */
export function takeCaller(token: u32): u32 {
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] != token) continue;
    tokens[i] = 0;
    return streams[i];
  }
  return 0;
}
